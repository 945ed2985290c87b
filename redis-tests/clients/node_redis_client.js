// SPDX-License-Identifier: BSD-3-Clause
// A round of every command family through node-redis: node node_redis_client.js PORT [cairn]
// Done twice, over RESP2 and over RESP3; knows nothing of the server but its address.
'use strict';
const { createClient } = require('redis');
const { Checker, Inbox, pause } = require('./check.js');

const port = Number(process.argv[2]);
const cairn = process.argv[3] === 'cairn';
let check;

async function connect(RESP) {
    const client = createClient({ RESP, database: 3, socket: { host: '127.0.0.1', port } });
    client.on('error', (error) => check.equal('the connection', `${error}`, 'no error'));
    await client.connect();
    return client;
}

async function tryServer(r) {
    check.equal('ping', await r.ping(), 'PONG');
    check.equal('echo', await r.echo('hé'), 'hé');
    check.equal('client setname', await r.clientSetName('node'), 'OK');
    check.equal('client getname', await r.clientGetName(), 'node');
    check.equal('client list', (await r.clientList()).filter((c) => c.name === 'node').length, 1);
    check.equal('client info', (await r.clientInfo()).db, 3);
    check.equal('info', /redis_version:/.test(await r.info()), true);
    check.equal('config get', Object.keys(await r.configGet('maxmemory')), ['maxmemory']);
    check.equal('command info', (await r.commandInfo(['get']))[0].arity, 2);
    check.equal('dbsize', await r.dbSize(), 0);
    await check.error('unknown command', r.sendCommand(['NOSUCH', 'x']), "ERR unknown command 'NOSUCH'");
}

async function tryStrings(r) {
    check.equal('set', await r.set('s', 'hello'), 'OK');
    check.equal('get', await r.get('s'), 'hello');
    check.equal('set nx', await r.set('s', 'x', { condition: 'NX' }), null);
    check.equal('set get', await r.set('s', 'world', { condition: 'XX', GET: true }), 'hello');
    check.equal('append', await r.append('s', '!'), 6);
    check.equal('getRange', await r.getRange('s', 1, 3), 'orl');
    check.equal('mSet', await r.mSet({ a: '1', b: '2' }), 'OK');
    check.equal('mGet', await r.mGet(['a', 'none', 'b']), ['1', null, '2']);
    check.equal('incrBy', await r.incrBy('a', 41), 42);
    check.equal('incrByFloat', await r.incrByFloat('a', 0.5), '42.5');
    check.equal('getDel', await r.getDel('a'), '42.5');
    check.equal('strLen', await r.strLen('s'), 6);
    await check.error('incr of text', r.incr('s'), 'ERR value is not an integer or out of range');
    await r.mSet({ l1: 'ohmytext', l2: 'mynewtext' });
    check.equal('lcs', await r.lcs('l1', 'l2'), 'mytext');
    check.equal('lcsLen', await r.lcsLen('l1', 'l2'), 6);
    check.equal('lcsIdx', (await r.lcsIdx('l1', 'l2')).len, 6);
}

async function tryHashes(r) {
    check.equal('hSet', await r.hSet('h', { one: '1', two: '2' }), 2);
    check.equal('hGet', await r.hGet('h', 'one'), '1');
    check.equal('hGetAll', await r.hGetAll('h'), { one: '1', two: '2' });
    check.equal('hmGet', await r.hmGet('h', ['two', 'none']), ['2', null]);
    check.equal('hIncrBy', await r.hIncrBy('h', 'one', 9), 10);
    check.equal('hIncrByFloat', await r.hIncrByFloat('h', 'two', 0.5), '2.5');
    check.equal('hExists', await r.hExists('h', 'none'), 0);
    check.equal('hKeys', (await r.hKeys('h')).sort(), ['one', 'two']);
    check.equal('hRandFieldCountWithValues', (await r.hRandFieldCountWithValues('h', 2))
        .map(({ field, value }) => `${field}=${value}`).sort(), ['one=10', 'two=2.5']);
    check.equal('hScan', (await r.hScan('h', '0')).entries.length, 2);
    check.equal('hDel', await r.hDel('h', ['one', 'none']), 1);
    check.equal('hLen', await r.hLen('h'), 1);
}

async function tryLists(r) {
    check.equal('rPush', await r.rPush('l', ['b', 'c']), 2);
    check.equal('lPush', await r.lPush('l', 'a'), 3);
    check.equal('lRange', await r.lRange('l', 0, -1), ['a', 'b', 'c']);
    check.equal('lPos', await r.lPos('l', 'c'), 2);
    check.equal('lInsert', await r.lInsert('l', 'BEFORE', 'b', 'x'), 4);
    check.equal('lRem', await r.lRem('l', 0, 'x'), 1);
    check.equal('lMove', await r.lMove('l', 'm', 'LEFT', 'RIGHT'), 'a');
    check.equal('lPopCount', await r.lPopCount('l', 5), ['b', 'c']);
    check.equal('lPop of nothing', await r.lPop('l'), null);
    check.equal('lmPop', await r.lmPop(['l', 'm'], 'LEFT'), ['m', ['a']]);
    check.equal('lLen', await r.lLen('m'), 0);
}

async function trySets(r) {
    check.equal('sAdd', await r.sAdd('s1', ['1', '2', 'x']), 3);
    check.equal('sAdd other', await r.sAdd('s2', ['x', 'y']), 2);
    check.equal('sMembers', [...await r.sMembers('s1')].sort(), ['1', '2', 'x']);
    check.equal('sIsMember', await r.sIsMember('s1', 'x'), 1);
    check.equal('smIsMember', await r.smIsMember('s1', ['x', 'z']), [1, 0]);
    check.equal('sInter', [...await r.sInter(['s1', 's2'])], ['x']);
    check.equal('sInterCard', await r.sInterCard(['s1', 's2']), 1);
    check.equal('sUnionStore', await r.sUnionStore('s3', ['s1', 's2']), 4);
    check.equal('sDiff', [...await r.sDiff(['s2', 's1'])], ['y']);
    check.equal('sRandMemberCount', (await r.sRandMemberCount('s3', -9)).length, 9);
    check.equal('sPop', await r.sPop('s2') !== null, true);
    check.equal('sCard', await r.sCard('s2'), 1);
    check.equal('sScan', (await r.sScan('s3', '0')).members.length, 4);
}

async function tryKeys(r) {
    await r.set('k', 'v', { expiration: { type: 'EX', value: 100 } });
    check.equal('ttl', await r.ttl('k'), 100);
    check.equal('persist', await r.persist('k'), 1);
    check.equal('pExpire', await r.pExpire('k', 60000, 'NX'), 1);
    check.equal('expire', await r.expire('k', 10, 'GT'), 0);
    check.equal('rename', await r.rename('k', 'k2'), 'OK');
    check.equal('copy', await r.copy('k2', 'k3'), 1);
    check.equal('type', await r.type('k3'), 'string');
    check.equal('exists', await r.exists(['k2', 'k3', 'none']), 2);
    check.equal('objectEncoding', await r.objectEncoding('s1'), 'hashtable');
    check.equal('unlink', await r.unlink(['k2', 'k3']), 2);
    await r.pSetEx('gone', 5, 'v');
    await pause(20);
    check.equal('an expired key', await r.get('gone'), null);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => r.set(`scan:${i}`, `${i}`)));
    const seen = new Set();
    for await (const keys of r.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) keys.forEach((k) => seen.add(k));
    check.equal('scanIterator', seen.size, 1000);
}

async function tryTransactions(r) {
    check.equal('multi', await r.multi().set('t', '1').incr('t').get('t').exec(), ['OK', 2, '2']);
    const other = r.duplicate();
    await other.connect();
    await r.watch('t');
    await other.set('t', '9');
    await check.error('a watched key that changes', r.multi().incr('t').exec(), 'One (or more) of the watched keys');
    await r.watch('t');
    check.equal('a watched key that stays', await r.multi().incr('t').exec(), [10]);
    other.destroy();
}

async function tryPubSub(r) {
    const sub = r.duplicate();
    const inbox = new Inbox();
    await sub.connect();
    await sub.subscribe('news', (message, channel) => inbox.put(['channel', channel, message]));
    await sub.pSubscribe('ne?s', (message, channel) => inbox.put(['pattern', channel, message]));
    check.equal('publish', await r.publish('news', 'hello'), 2);
    check.equal('message', await inbox.next(), ['channel', 'news', 'hello']);
    check.equal('pmessage', await inbox.next(), ['pattern', 'news', 'hello']);
    check.equal('pubSubNumSub', Number((await r.pubSubNumSub(['news'])).news), 1);
    await sub.unsubscribe('news');
    await sub.pUnsubscribe('ne?s');
    check.equal('publish to nobody', await r.publish('news', 'hello'), 0);
    sub.destroy();
}

async function tryBlocking(r) {
    const waiter = r.duplicate();
    await waiter.connect();
    let answer = waiter.blPop(['q1', 'q2'], 5);
    await pause(50);
    await r.rPush('q2', 'job');
    check.equal('blPop', { ...await answer }, { key: 'q2', element: 'job' });
    answer = waiter.blMove('q1', 'q3', 'LEFT', 'RIGHT', 5);
    await pause(50);
    await r.rPush('q1', 'next');
    check.equal('blMove', await answer, 'next');
    check.equal('brPop that times out', await waiter.brPop('q1', 0.05), null);
    check.equal('blmPop', await waiter.blmPop(1, ['q1', 'q3'], 'LEFT'), ['q3', ['next']]);
    waiter.destroy();
}

async function tryPipeline(r) {
    const replies = await Promise.all(Array.from({ length: 5000 }, () => r.incr('p')));
    check.equal('a pipeline of five thousand', replies.every((reply, i) => reply === i + 1), true);
}

async function tryCairn(r) {
    const named = createClient({ RESP: 2, socket: { host: '127.0.0.1', port } });
    await named.connect();
    check.equal('select by name', await named.sendCommand(['SELECT', 'node-fleet']), 'OK');
    check.equal('set there', await named.set('where', 'named'), 'OK');
    check.equal('not here', await r.get('where'), null);
    const first = await named.sendCommand(['CAIRN', 'SYNC']);
    await named.set('where', 'again');
    check.equal('cairn sync', await named.sendCommand(['CAIRN', 'SYNC']) > first, true);
    check.equal('cairn position', await named.sendCommand(['CAIRN', 'POSITION']) >= first, true);
    check.equal('flushDb', await named.flushDb(), 'OK');
    named.destroy();
}

async function main() {
    let failures = 0;
    for (const resp of [2, 3]) {
        check = new Checker(`node-redis RESP${resp}`);
        const r = await connect(resp);
        await r.flushDb();
        const parts = [tryServer, tryStrings, tryHashes, tryLists, trySets, tryKeys, tryTransactions, tryPubSub,
            tryBlocking, tryPipeline];
        if (cairn) parts.push(tryCairn);
        for (const part of parts) await check.run(part, r);
        check.equal('flushDb at the end', await r.flushDb(), 'OK');
        r.destroy();
        failures += check.failures;
    }
    process.exit(failures ? 1 : 0);
}

main().catch((error) => {
    console.log(`not ok node-redis: ${error}`);
    process.exit(1);
});
