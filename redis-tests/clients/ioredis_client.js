// SPDX-License-Identifier: BSD-3-Clause
// A round of every command family through ioredis: node ioredis_client.js PORT [cairn]
// Knows nothing of the server but its address.
'use strict';
const Redis = require('ioredis');
const { Checker, Inbox, pause } = require('./check.js');

const port = Number(process.argv[2]);
const cairn = process.argv[3] === 'cairn';
const check = new Checker('ioredis');
const connect = () => new Redis({ host: '127.0.0.1', port, db: 3, maxRetriesPerRequest: 2 });

async function tryServer(r) {
    check.equal('ping', await r.ping(), 'PONG');
    check.equal('echo', await r.echo('hé'), 'hé');
    check.equal('client', [await r.client('SETNAME', 'io'), await r.client('GETNAME')], ['OK', 'io']);
    check.equal('info', /redis_version:/.test(await r.info()), true);
    check.equal('config', (await r.config('GET', 'maxmemory'))[0], 'maxmemory');
    check.equal('time', (await r.time()).length, 2);
    check.equal('dbsize', await r.dbsize(), 0);
    await check.error('unknown command', r.call('NOSUCH', 'x'), "ERR unknown command 'NOSUCH'");
}

async function tryStrings(r) {
    check.equal('set', await r.set('s', 'hello', 'EX', 100), 'OK');
    check.equal('get', await r.get('s'), 'hello');
    check.equal('set nx', await r.set('s', 'x', 'NX'), null);
    check.equal('set get', await r.set('s', 'world', 'GET'), 'hello');
    check.equal('ttl after', await r.ttl('s'), -1);
    check.equal('append', await r.append('s', '!'), 6);
    check.equal('mset', await r.mset({ a: 1, b: 2 }), 'OK');
    check.equal('mget', await r.mget('a', 'none', 'b'), ['1', null, '2']);
    check.equal('incrby', await r.incrby('a', 41), 42);
    check.equal('incrbyfloat', await r.incrbyfloat('a', 0.5), '42.5');
    check.equal('getBuffer', (await r.getBuffer('s')).toString('hex'), Buffer.from('world!').toString('hex'));
    const raw = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await r.set('raw', raw);
    check.equal('binary', Buffer.compare(await r.getBuffer('raw'), raw), 0);
    check.equal('getdel', await r.getdel('a'), '42.5');
    await check.error('incr of text', r.incr('s'), 'ERR value is not an integer or out of range');
}

async function tryHashes(r) {
    check.equal('hset', await r.hset('h', { one: 1, two: 2 }), 2);
    check.equal('hgetall', await r.hgetall('h'), { one: '1', two: '2' });
    check.equal('hmget', await r.hmget('h', 'two', 'none'), ['2', null]);
    check.equal('hincrby', await r.hincrby('h', 'one', 9), 10);
    check.equal('hincrbyfloat', await r.hincrbyfloat('h', 'two', 0.5), '2.5');
    check.equal('hrandfield', (await r.hrandfield('h', 2, 'WITHVALUES')).length, 4);
    check.equal('hdel', await r.hdel('h', 'one', 'none'), 1);
    check.equal('hlen', await r.hlen('h'), 1);
    await r.hset('big', Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, i])));
    let fields = 0;
    for await (const batch of r.hscanStream('big', { count: 100 })) fields += batch.length / 2;
    check.equal('hscanStream', fields, 1000);
}

async function tryLists(r) {
    check.equal('rpush', await r.rpush('l', 'b', 'c'), 2);
    check.equal('lpush', await r.lpush('l', 'a'), 3);
    check.equal('lrange', await r.lrange('l', 0, -1), ['a', 'b', 'c']);
    check.equal('linsert', await r.linsert('l', 'AFTER', 'a', 'x'), 4);
    check.equal('lpos', await r.lpos('l', 'x'), 1);
    check.equal('lrem', await r.lrem('l', 1, 'x'), 1);
    check.equal('lmove', await r.lmove('l', 'm', 'LEFT', 'LEFT'), 'a');
    check.equal('lpop', await r.lpop('l', 5), ['b', 'c']);
    check.equal('lmpop', await r.lmpop(2, 'l', 'm', 'RIGHT', 'COUNT', 2), ['m', ['a']]);
    check.equal('llen', await r.llen('m'), 0);
}

async function trySets(r) {
    check.equal('sadd', await r.sadd('s1', 1, 2, 'x'), 3);
    check.equal('sadd other', await r.sadd('s2', 'x', 'y'), 2);
    check.equal('smembers', (await r.smembers('s1')).sort(), ['1', '2', 'x']);
    check.equal('smismember', await r.smismember('s1', 'x', 'z'), [1, 0]);
    check.equal('sinter', await r.sinter('s1', 's2'), ['x']);
    check.equal('sintercard', await r.sintercard(2, 's1', 's2'), 1);
    check.equal('sunionstore', await r.sunionstore('s3', 's1', 's2'), 4);
    check.equal('smove', await r.smove('s1', 's2', '1'), 1);
    check.equal('spop', (await r.spop('s3', 9)).length, 4);
    check.equal('scard', [await r.scard('s1'), await r.scard('s2'), await r.scard('s3')], [2, 3, 0]);
}

async function tryKeys(r) {
    await r.set('k', 'v');
    check.equal('expire', await r.expire('k', 100, 'NX'), 1);
    check.equal('pttl', await r.pttl('k') > 90000, true);
    check.equal('rename', await r.rename('k', 'k2'), 'OK');
    check.equal('copy', await r.copy('k2', 'k3', 'REPLACE'), 1);
    check.equal('type', [await r.type('k3'), await r.type('h')], ['string', 'hash']);
    check.equal('object', await r.object('ENCODING', 'k3'), 'embstr');
    check.equal('unlink', await r.unlink('k2', 'k3', 'none'), 2);
    await r.psetex('gone', 5, 'v');
    await pause(20);
    check.equal('an expired key', [await r.get('gone'), await r.ttl('gone')], [null, -2]);
    const pipe = r.pipeline();
    for (let i = 0; i < 1000; i++) pipe.set(`scan:${i}`, i);
    await pipe.exec();
    const seen = new Set();
    for await (const keys of r.scanStream({ match: 'scan:*', count: 50 })) keys.forEach((k) => seen.add(k));
    check.equal('scanStream', seen.size, 1000);
}

async function tryTransactions(r) {
    check.equal('multi', await r.multi().set('t', 1).incr('t').get('t').exec(), [[null, 'OK'], [null, 2], [null, '2']]);
    const other = connect();
    await r.watch('t');
    await other.set('t', 9);
    check.equal('a watched key that changes', await r.multi().incr('t').exec(), null);
    await r.watch('t');
    check.equal('a watched key that stays', await r.multi().incr('t').exec(), [[null, 10]]);
    const mixed = await r.multi().lpush('t', 'x').get('t').exec();
    check.equal('an error inside', [mixed[0][0].message.slice(0, 9), mixed[1][1]], ['WRONGTYPE', '10']);
    other.disconnect();
}

async function tryPubSub(r) {
    const sub = connect();
    const inbox = new Inbox();
    sub.on('message', (channel, message) => inbox.put([channel, message]));
    sub.on('pmessage', (pattern, channel, message) => inbox.put([pattern, channel, message]));
    check.equal('subscribe', await sub.subscribe('news', 'other'), 2);
    check.equal('psubscribe', await sub.psubscribe('ne?s'), 3);
    check.equal('publish', await r.publish('news', 'hello'), 2);
    check.equal('message', await inbox.next(), ['news', 'hello']);
    check.equal('pmessage', await inbox.next(), ['ne?s', 'news', 'hello']);
    check.equal('unsubscribe', await sub.unsubscribe('news', 'other'), 1);
    check.equal('punsubscribe', await sub.punsubscribe('ne?s'), 0);
    check.equal('pubsub', await r.pubsub('NUMSUB', 'news'), ['news', 0]);
    sub.disconnect();
}

async function tryBlocking(r) {
    const waiter = connect();
    let answer = waiter.blpop('q1', 'q2', 5);
    await pause(50);
    await r.rpush('q2', 'job');
    check.equal('blpop', await answer, ['q2', 'job']);
    answer = waiter.blmove('q1', 'q3', 'LEFT', 'RIGHT', 5);
    await pause(50);
    await r.rpush('q1', 'next');
    check.equal('blmove', await answer, 'next');
    check.equal('brpop that times out', await waiter.brpop('q1', 0.05), null);
    waiter.disconnect();
}

async function tryPipeline(r) {
    const pipe = r.pipeline();
    for (let i = 0; i < 5000; i++) pipe.incr('p');
    const replies = await pipe.exec();
    check.equal('a pipeline of five thousand', replies.every(([error, reply], i) => !error && reply === i + 1), true);
}

async function tryCairn(r) {
    const named = connect();
    check.equal('select by name', await named.select('io-fleet'), 'OK');
    check.equal('set there', await named.set('where', 'named'), 'OK');
    check.equal('not here', await r.get('where'), null);
    const first = await named.call('CAIRN', 'SYNC');
    await named.set('where', 'again');
    check.equal('cairn sync', await named.call('CAIRN', 'SYNC') > first, true);
    check.equal('cairn position', await named.call('CAIRN', 'POSITION') >= first, true);
    check.equal('flushdb', await named.flushdb(), 'OK');
    named.disconnect();
}

async function main() {
    const r = connect();
    await r.flushdb();
    const parts = [tryServer, tryStrings, tryHashes, tryLists, trySets, tryKeys, tryTransactions, tryPubSub,
        tryBlocking, tryPipeline];
    if (cairn) parts.push(tryCairn);
    for (const part of parts) await check.run(part, r);
    check.equal('flushdb at the end', await r.flushdb(), 'OK');
    r.disconnect();
    process.exit(check.failures ? 1 : 0);
}

main().catch((error) => {
    console.log(`not ok ioredis: ${error}`);
    process.exit(1);
});
