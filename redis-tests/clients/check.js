// SPDX-License-Identifier: BSD-3-Clause
// The part that both Node clients share: compare, count, print ok and not ok lines.
'use strict';
const { isDeepStrictEqual, inspect } = require('node:util');

class Checker {
    constructor(client) {
        this.client = client;
        this.failures = 0;
    }

    equal(name, got, want) {
        // RESP3 maps come with null prototypes or as Map; what they hold is what counts
        const plain = (v) => (v instanceof Map ? Object.fromEntries(v) :
            v && typeof v === 'object' && Object.getPrototypeOf(v) === null ? { ...v } : v);
        if (isDeepStrictEqual(plain(got), want)) {
            console.log(`ok ${this.client}: ${name}`);
        } else {
            this.failures++;
            console.log(`not ok ${this.client}: ${name}: wanted ${inspect(want)}, got ${inspect(got)}`);
        }
    }

    async error(name, promise, want) {
        let text = 'no error';
        try {
            await promise;
        } catch (error) {
            text = error.message;
        }
        this.equal(name, text.startsWith(want) ? want : text, want);
    }

    // One family; what it throws is a failure of that family, not the end of the others.
    async run(part, ...args) {
        try {
            await part(...args);
        } catch (error) {
            this.equal(`${part.name} to its end`, `${error}`, 'no exception');
        }
    }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A list of what arrives, and a wait for the next of it.
class Inbox {
    constructor() {
        this.items = [];
    }

    put(item) {
        this.items.push(item);
    }

    async next() {
        for (let i = 0; i < 500 && !this.items.length; i++) await pause(10);
        return this.items.shift();
    }
}

// Nothing may hang a run for ever.
setTimeout(() => {
    console.log('not ok node: the round did not end within 60 s');
    process.exit(1);
}, 60000).unref();

module.exports = { Checker, Inbox, pause };
