import { describe, expect, it } from 'vitest';
import { connected, newClient, settled } from '../../support/client-harness.js';
import type { Command } from '../../support/fake-socket.js';
import { alert, order, roomMessage, trade } from '../../support/market-frames.js';

describe('R34 event streams', () => {
  it('give each message with its topic and place', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    client.trades(['X']).on('event', event => seen.push(event));
    client.orders().on('event', event => seen.push(event));
    client.rooms('desk-7').on('event', event => seen.push(event));
    await settled();
    socket.frames(trade('X', 4), order('alice', 1), roomMessage('desk-7', 8, { hello: [1] }));
    const lag = undefined;
    expect(seen).toEqual([
      { topic: 'trades:X', name: 'X', message: trade('X', 4), epoch: 'e1', seq: 5, lag },
      { topic: 'orders:alice', name: 'alice', message: order('alice', 1), epoch: 'e1', seq: 2, lag },
      {
        topic: 'rooms:desk-7',
        name: 'desk-7',
        message: roomMessage('desk-7', 8, { hello: [1] }),
        epoch: 'e1',
        seq: 9,
        lag,
      },
    ]);
  });

  it('give analytics, which come as arrays, one by one', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    const stream = client.analytics(['alerts', 'routing-metrics']);
    stream.on('event', ({ name, message }) => seen.push([name, message.type, message.seq]));
    await stream.ready;
    socket.frames([alert(0), alert(1)], [alert(6, 'routing-metrics', 'routing-decision')], []);
    expect(seen).toEqual([
      ['alerts', 'alert', 1],
      ['alerts', 'alert', 2],
      ['routing-metrics', 'routing-decision', 7],
    ]);
  });

  it('tell of announced losses, of their symbol only', async () => {
    const { client, socket } = await connected();
    const seen: unknown[] = [];
    client.trades(['X']).on('gap', gap => seen.push(gap));
    client.trades(['Y']).on('gap', () => seen.push('not of Y'));
    client.trades().on('gap', ({ topic }) => seen.push(topic));
    await settled();
    socket.frames(trade('X', 10), { type: 'gap', topic: 'trades:X', from: 12, to: 40, reason: 'slow_consumer' });
    socket.frames(trade('X', 40));
    expect(seen).toEqual([
      { topic: 'trades:X', from: 12, to: 40, reason: 'slow_consumer', epoch: undefined },
      'trades:X',
    ]);
    seen.length = 0;
    socket.frames({ type: 'gap', topic: 'trades:*', from: 0, to: 0, reason: 'new_epoch', epoch: 'e2' });
    expect(seen).toEqual(['trades:*']);
  });

  it('age visibly, those of all symbols by the trades of any', async () => {
    const { client, socket, clock } = await connected();
    const all = client.trades();
    const one = client.trades(['X']);
    await Promise.all([all.ready, one.ready]);
    clock.advanceMs(100);
    expect(all.stalenessMs()).toBe(100);
    socket.frames(trade('Y', 0));
    expect(all.stalenessMs()).toBe(0);
    expect(one.stalenessMs('X')).toBe(100);
  });

  it('tell of losses that nobody announced, and still give what comes', async () => {
    const { client, socket } = await connected();
    const stream = client.trades(['X']);
    const seen: unknown[] = [];
    stream.on('gap', gap => seen.push(gap)).on('event', ({ seq }) => seen.push(seq));
    await stream.ready;
    socket.frames(trade('X', 10), trade('X', 14), trade('X', 0, 'e2'));
    socket.frames({ type: 'heartbeat', topic: 'trades:X', epoch: 'e2', seq: 4 });
    const gap = { topic: 'trades:X', reason: 'unannounced' };
    expect(seen).toEqual([
      11,
      { ...gap, from: 12, to: 14, epoch: undefined },
      15,
      { ...gap, from: 0, to: 0, epoch: 'e2' },
      1,
      { ...gap, from: 2, to: 4, epoch: undefined },
    ]);
  });

  it('know from the first message on whether one is missing', async () => {
    const { client, network } = newClient();
    network.onCommand = ({ id }: Command, socket) =>
      socket.frames({
        type: 'subscribed',
        id,
        topics: ['trades:X'],
        positions: { 'trades:X': { epoch: 'e1', seq: 41 } },
      });
    const stream = client.trades(['X']);
    const seen: unknown[] = [];
    stream.on('gap', ({ from, to }) => seen.push([from, to])).on('event', ({ seq }) => seen.push(seq));
    const socket = await network.accepted(1);
    await stream.ready;
    socket.frames(trade('X', 43));
    expect(seen).toEqual([[42, 43], 44]);
  });
});

describe('R34 iterating over events', () => {
  it('gives every message, in order, however late it is read', async () => {
    const { client, socket } = await connected();
    const stream = client.trades(['X']);
    await stream.ready;
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { seq } of stream) {
        seen.push(seq);
        if (seq % 7 === 0) await settled();
        if (seq === 100) break;
      }
    })();
    for (let seq = 0; seq < 100; seq++) socket.frames(trade('X', seq));
    await loop;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(stream.isClosed).toBe(true);
  });

  it('ends with the number of lost events when the consumer is too far behind', async () => {
    const { client, socket } = await connected({ eventBufferMax: 10 });
    const stream = client.trades(['X']);
    await stream.ready;
    const seen: number[] = [];
    const iteration = stream[Symbol.asyncIterator]();
    for (let seq = 0; seq < 25; seq++) socket.frames(trade('X', seq));
    for (let n = 0; n < 10; n++) seen.push((await iteration.next()).value?.seq ?? 0);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // A place is free again, but what would take it does not follow what is kept.
    socket.frames(trade('X', 25));
    await expect(iteration.next()).rejects.toMatchObject({ code: 'iteration_overflow', lost: 16 });
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
    expect(stream.isClosed).toBe(true);
  });

  it('tells of what was lost even when the stream has ended meanwhile', async () => {
    const { client, socket } = await connected({ eventBufferMax: 1 });
    const stream = client.trades(['X']);
    await stream.ready;
    const iteration = stream[Symbol.asyncIterator]();
    socket.frames(trade('X', 0), trade('X', 1));
    stream.close();
    expect((await iteration.next()).value).toMatchObject({ seq: 1 });
    await expect(iteration.next()).rejects.toMatchObject({ lost: 1 });
  });

  it('gives what came before the end', async () => {
    const { client, socket } = await connected();
    const stream = client.trades(['X']);
    await stream.ready;
    const iteration = stream[Symbol.asyncIterator]();
    socket.frames(trade('X', 0));
    socket.end(4500, 'revoked');
    expect((await iteration.next()).value).toMatchObject({ seq: 1 });
    await expect(iteration.next()).rejects.toMatchObject({ code: 'closed' });
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });

  it('serves several calls of next in their order', async () => {
    const { client, socket } = await connected();
    const iteration = client.trades()[Symbol.asyncIterator]();
    await settled();
    const calls = Promise.all([iteration.next(), iteration.next()]);
    socket.frames(trade('X', 0), trade('X', 1));
    expect((await calls).map(({ value }) => value?.seq)).toEqual([1, 2]);
    await iteration.return();
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });
});

describe('R34 publishing into a room', () => {
  const ack = (id: unknown, seq: number) => ({ type: 'ack', id, topic: 'rooms:r', epoch: 'e1', seq });

  it('resolves with where the message stands', async () => {
    const { client, socket } = await connected();
    const room = client.rooms('r');
    const published = room.publish({ text: 'hi' });
    await settled();
    const [command] = socket.sent('publish');
    expect(command).toEqual({ action: 'publish', stream: 'rooms', room: 'r', data: { text: 'hi' }, id: command?.id });
    socket.frames(ack(command?.id, 9));
    expect(await published).toEqual({ seq: 9, epoch: 'e1' });
  });

  it('rejects with the gateway’s refusal', async () => {
    const { client, socket } = await connected();
    const published = client.rooms('r').publish(1);
    await settled();
    socket.frames({ type: 'error', id: socket.sent('publish')[0]?.id, code: 'forbidden', message: 'not a member' });
    await expect(published).rejects.toMatchObject({ code: 'forbidden', message: 'not a member' });
  });

  it('waits for a connection, and sends what was interrupted again under the same id', async () => {
    const { client, network, clock } = newClient();
    const room = client.rooms('r');
    const data = { n: 1 };
    const published = room.publish(data);
    data.n = 2;
    const first = await network.accepted(1);
    expect(first.sent('publish')).toMatchObject([{ data: { n: 1 } }]);
    first.end(1006);
    clock.advanceMs(100);
    const second = await network.accepted(2);
    expect(second.sent('publish')).toEqual(first.sent('publish'));
    second.frames(ack(second.sent('publish')[0]?.id, 3));
    expect((await published).seq).toBe(3);
    second.end(1006);
    clock.advanceMs(1_000);
    expect((await network.accepted(3)).sent('publish')).toEqual([]);
  });

  it('uses ids that no other client has', async () => {
    const ids = new Set<unknown>();
    for (let n = 0; n < 2; n++) {
      const { client, socket } = await connected();
      const room = client.rooms('r');
      room.publish(1).catch(() => {});
      room.publish(2).catch(() => {});
      await settled();
      for (const { id } of socket.sent('publish')) ids.add(id);
    }
    expect(ids.size).toBe(4);
    for (const id of ids) expect(String(id).length).toBeLessThanOrEqual(128);
  });

  it('rejects what cannot be encoded', async () => {
    const { client } = await connected();
    const data: Record<string, unknown> = {};
    data.self = data;
    await expect(client.rooms('r').publish(data)).rejects.toMatchObject({ code: 'invalid_message' });
  });

  it('rejects beyond a bounded number of unanswered ones', async () => {
    const { client } = newClient();
    const room = client.rooms('r');
    const waiting = Array.from({ length: 256 }, (_, n) => room.publish(n));
    await expect(room.publish('one more')).rejects.toMatchObject({ code: 'too_many_publications' });
    client.close();
    const outcomes = await Promise.allSettled(waiting);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']));
    await expect(room.publish('late')).rejects.toMatchObject({ code: 'closed' });
  });

  it('does not send again what was too long for the gateway', async () => {
    const { client, network, clock, socket } = await connected();
    const published = client.rooms('r').publish('x'.repeat(2_000_000));
    await settled();
    expect(socket.sent('publish').length).toBe(1);
    socket.end(1009);
    await expect(published).rejects.toMatchObject({ code: 'payload_too_large' });
    clock.advanceMs(100);
    expect((await network.accepted(2)).sent('publish')).toEqual([]);
  });
});
