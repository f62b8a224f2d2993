/** A room over two gateways on one JetStream, one of which is killed in the middle of the conversation. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Frame, TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { TcpGate } from '../support/tcp-gate.js';
import { until } from '../support/until.js';

const ROOM = 'floor';
const TOPIC = `rooms:${ROOM}`;
/** Messages of one member that may wait for their acks. */
const UNACKED_MAX = 20;
const CONVERSATION_TIMEOUT_MS = 30_000;

let nats: NatsServer;
let first: TestGateway;
let second: TestGateway;
/** Ends what a test has started, in the opposite order, also when it fails. */
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  nats = await startNatsServer({ jetstream: true });
  ends.push(() => nats.stop());
  const env = { NATS_URL: nats.url, JETSTREAM: 'on', WORKERS: '2' };
  first = await startGateway({ ...env, NODE_NAME: 'first' });
  ends.push(() => first.stop());
  second = await startGateway({ ...env, NODE_NAME: 'second' });
  ends.push(() => second.stop());
});

afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

interface Place {
  readonly epoch: unknown;
  readonly seq: unknown;
}

/** One who keeps what he said until it is acked, and comes back to where he stood. */
class Member {
  /** All messages of the room, over all connections. */
  readonly heard: Frame[] = [];
  /** Places that the gateways said his messages have, by id; one for every ack. */
  readonly acks = new Map<string, number[]>();
  readonly name: string;
  readonly #format: string;
  readonly #unacked = new Set<string>();
  #client: TestClient | undefined;
  #taken = 0;
  #since: Place | undefined;

  constructor(name: string, format = 'json') {
    this.name = name;
    this.#format = format;
  }

  get unacked(): number {
    return this.#unacked.size;
  }

  get isConnected(): boolean {
    return this.#client !== undefined && this.#client.closed === undefined;
  }

  /** Enters the room, where he stood if he was there before, and says again what was not acked. */
  async join(url: string): Promise<void> {
    const token = await testToken({ sub: this.name });
    const client = await TestClient.connect(`${url}/ws?token=${token}&format=${this.#format}`);
    ends.push(() => client.close());
    const since = this.#since === undefined ? {} : { since: this.#since };
    client.send({ action: 'subscribe', stream: 'rooms', room: ROOM, id: 'join', ...since });
    const subscribed = await client.next('answer', frame => frame.id === 'join');
    expect(subscribed).toMatchObject({ type: 'subscribed', topics: [TOPIC] });
    if (this.#since === undefined) this.#since = (subscribed.positions as Record<string, Place>)[TOPIC];
    else expect(subscribed.recovered).toBe(true);
    this.#client = client;
    this.#taken = 0;
    for (const id of this.#unacked) this.#send(id);
  }

  /** Says something that is its own id. */
  say(id: string): void {
    this.#unacked.add(id);
    if (this.isConnected) this.#send(id);
  }

  /** Says what is numbered from `first` to before `end`, as fast as it is acked. */
  async talk(end: number, first = 0): Promise<void> {
    for (let n = first; n < end; n++) {
      await until(() => this.listen().unacked < UNACKED_MAX, CONVERSATION_TIMEOUT_MS);
      this.say(`${this.name}:${n}`);
    }
    await until(() => this.listen().unacked === 0, CONVERSATION_TIMEOUT_MS);
  }

  /** Takes in what has come. */
  listen(): this {
    const frames = this.#client?.frames ?? [];
    for (; this.#taken < frames.length; this.#taken++) {
      const frame = frames[this.#taken] as Frame;
      if (frame.type === 'room_message') {
        this.heard.push(frame);
        this.#since = { epoch: frame.epoch, seq: frame.seq };
      } else if (frame.type === 'ack') {
        const id = frame.id as string;
        this.#unacked.delete(id);
        this.acks.set(id, [...(this.acks.get(id) ?? []), frame.seq as number]);
      } else if (frame.type === 'error' || frame.type === 'gap') {
        throw new Error(`${this.name} was told ${JSON.stringify(frame)}`);
      }
    }
    return this;
  }

  async gone(): Promise<void> {
    await until(() => !this.isConnected);
    this.listen();
  }

  #send(id: string): void {
    this.#client?.send({ action: 'publish', stream: 'rooms', room: ROOM, data: id, id });
  }
}

/** What a member heard, as `seq data`; it throws where the sequences do not chain. */
function transcript(member: Member): string[] {
  const { heard } = member;
  heard.slice(1).forEach((frame, i) => {
    expect([frame.epoch, frame.prev_seq]).toEqual([heard[i]?.epoch, heard[i]?.seq]);
  });
  return heard.map(frame => `${frame.seq} ${frame.data}`);
}

const heardBy = async (member: Member, count: number) => {
  await until(() => member.listen().heard.length >= count, CONVERSATION_TIMEOUT_MS, `${member.name} heard ${count}`);
};

describe('R26 R29 R46 a gateway is killed', () => {
  it(
    'R26 R46 in the middle of a conversation: nobody misses a word or hears one twice, and every ack is true',
    {
      tags: ['slow'],
    },
    async () => {
      const COUNT = 400;
      const [alice, bob, carol] = [new Member('alice'), new Member('bob', 'msgpack'), new Member('carol')];
      const listener = new Member('listener', 'msgpack');
      const atFirst = [alice, bob, listener];
      for (const member of atFirst) await member.join(first.url);
      await carol.join(second.url);

      const talkers = [alice, bob, carol];
      const conversation = Promise.all([alice.talk(COUNT), bob.talk(COUNT), carol.talk(COUNT / 2)]);
      await until(() => alice.acks.size >= 100 && bob.acks.size >= 100 && alice.unacked > 0, CONVERSATION_TIMEOUT_MS);
      await first.stop('SIGKILL');
      for (const member of atFirst) await member.gone();
      expect(alice.unacked + bob.unacked).toBeGreaterThan(0);
      // It goes on while they are away.
      await until(() => carol.listen().acks.size >= COUNT / 2, CONVERSATION_TIMEOUT_MS, 'Carol said the first half');
      await carol.talk((COUNT * 3) / 4, COUNT / 2);
      for (const member of atFirst) await member.join(second.url);
      await conversation;
      await carol.talk(COUNT, (COUNT * 3) / 4);

      const everything = talkers.flatMap(({ name }) => Array.from({ length: COUNT }, (_, n) => `${name}:${n}`));
      for (const member of [...talkers, listener]) await heardBy(member, everything.length);
      // Behind everything, so that what is doubled has come when this has.
      carol.say('end');
      for (const member of [...talkers, listener]) await heardBy(member, everything.length + 1);
      const said = transcript(carol);
      for (const member of [...atFirst]) expect(transcript(member)).toEqual(said);
      expect(carol.heard.map(frame => frame.data as string).sort()).toEqual([...everything, 'end'].sort());
      for (const { name, acks } of talkers) {
        const own = carol.heard.filter(frame => frame.from === name);
        for (const { data, seq } of own) expect([data, ...new Set(acks.get(data as string))]).toEqual([data, seq]);
        // And everybody spoke in his own order.
        expect(own.map(frame => frame.data).filter(data => data !== 'end')).toEqual(
          Array.from({ length: COUNT }, (_, n) => `${name}:${n}`),
        );
      }
    },
  );

  it('R26 R29 with nobody at the other one: who comes there has it all from the store', async () => {
    const COUNT = 250;
    const [alice, bob] = [new Member('alice'), new Member('bob', 'msgpack')];
    for (const member of [alice, bob]) await member.join(first.url);
    const conversation = alice.talk(COUNT);
    await until(() => alice.acks.size >= 100 && alice.unacked > 0, CONVERSATION_TIMEOUT_MS);
    await first.stop('SIGKILL');
    for (const member of [alice, bob]) await member.gone();
    await alice.join(second.url);
    await conversation;
    await bob.join(second.url);
    await bob.talk(1);
    for (const member of [alice, bob]) await heardBy(member, COUNT + 1);
    expect(transcript(bob)).toEqual(transcript(alice));
    const own = Array.from({ length: COUNT }, (_, n) => `alice:${n}`);
    expect(alice.heard.map(frame => frame.data)).toEqual([...own, 'bob:0']);
  });
});

describe('R26 an ack that does not come', () => {
  let alice: Member;
  let carol: Member;
  let gate: TcpGate;

  /** Alice is at the first gateway through a gate that can hold up what passes, Carol at the second. */
  beforeEach(async () => {
    gate = await TcpGate.open(Number(new URL(first.url).port));
    ends.push(() => gate.close());
    [alice, carol] = [new Member('alice'), new Member('carol')];
    await alice.join(`ws://127.0.0.1:${gate.port}`);
    await carol.join(second.url);
    await alice.talk(1);
    await heardBy(alice, 1);
    await heardBy(carol, 1);
  });

  async function moveAlice(): Promise<void> {
    gate.cut();
    await first.stop('SIGKILL');
    await alice.gone();
    await alice.join(second.url);
    await until(() => alice.listen().unacked === 0);
  }

  it('R26 its message was stored: repeated with its id it is told the same place, and stands in the room once', async () => {
    gate.holdServer();
    alice.say('stored');
    await heardBy(carol, 2);
    await moveAlice();
    expect(alice.acks.get('stored')).toEqual([carol.heard[1]?.seq]);
    // Yet again, at the same gateway and at one that has not heard of it.
    alice.say('stored');
    await until(() => alice.listen().acks.get('stored')?.length === 2);
    const third = await startGateway({ NATS_URL: nats.url, JETSTREAM: 'on', NODE_NAME: 'third' });
    ends.push(() => third.stop());
    await alice.join(third.url);
    alice.say('stored');
    await until(() => alice.listen().acks.get('stored')?.length === 3);
    expect(new Set(alice.acks.get('stored')).size).toBe(1);
    alice.say('end');
    await heardBy(carol, 3);
    await heardBy(alice, 3);
    expect(carol.heard.map(frame => frame.data)).toEqual(['alice:0', 'stored', 'end']);
    expect(transcript(alice)).toEqual(transcript(carol));
  });

  it('R26 its message was lost on the way: repeated with its id it stands in the room once', async () => {
    gate.holdClients();
    alice.say('lost');
    await moveAlice();
    await heardBy(carol, 2);
    expect(alice.acks.get('lost')).toEqual([carol.heard[1]?.seq]);
    alice.say('end');
    await heardBy(carol, 3);
    await heardBy(alice, 3);
    expect(carol.heard.map(frame => frame.data)).toEqual(['alice:0', 'lost', 'end']);
    expect(transcript(alice)).toEqual(transcript(carol));
  });
});
