/**
 * The WebSocket protocol as RFC 6455 has it, after the case list of the Autobahn test suite (sections 1 to 7, 9 and 10; 12
 * and 13, compression, in compression.test.ts). Titles begin with Autobahn's numbers. Autobahn's server echoes; this one
 * answers `ping` with the client's `id`, so that is what stands for the echo.
 *
 * Where a case fails the connection, uWS drops it without a close frame (RFC 6455 section 7.1.7 allows it), and with it
 * answers that the same turn of its loop had not written yet.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { OPCODE, RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { chopped, closeFrame, fragments, frame, OP } from '../support/wire-frames.js';

let gateway: TestGateway;
let token: string;
let witness: TestClient;
let client: RawClient;
/** Longer ones are taken from the socket, and refused unread unless they publish. */
const READ_BYTES_MAX = 64 * 1024;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ping = (id: string) => `{"action":"ping","id":"${id}"}`;
/** The same with bytes for an id. */
const pingBytes = (id: Buffer) => Buffer.concat([Buffer.from('{"action":"ping","id":"'), id, Buffer.from('"}')]);
/** A command of so many bytes. */
const padded = (id: string, length: number) => ping(id).padEnd(length);
const binary = (length: number) => Buffer.alloc(length, 0xfe);

beforeAll(async () => {
  gateway = await startGateway({ WORKERS: '1', ENCODERS: '1' });
  token = await testToken();
  witness = await TestClient.connect(`${gateway.url}/ws`);
});

afterEach(async () => {
  await client.close();
  const seen = witness.ofType('pong').length;
  witness.send({ action: 'ping' });
  await until(() => witness.ofType('pong').length > seen);
});

afterAll(async () => {
  // Whatever became of them, nothing is left of them, and nothing went wrong here.
  await until(async () => (await gateway.metric('millrace_connections_open')) === 1);
  expect(gateway.log()).not.toMatch(/"level":(50|60)/);
  await witness?.close();
  expect(await gateway?.stop()).toBe(0);
});

async function send(...writes: readonly Buffer[]): Promise<RawClient> {
  // With a credential, of which longer messages are taken.
  client = await RawClient.connect(`${gateway.url}/ws?token=${token}`);
  for (const bytes of writes) client.write(bytes);
  return client;
}

/** A command that is answered, before anything else is sent. */
async function sendAnswered(id: string, ...writes: readonly Buffer[]): Promise<void> {
  await send(...writes);
  await until(() => ids().includes(id));
}

/** The connection lives on: it answers a last command, behind everything else. */
async function lives(): Promise<void> {
  client.write(frame(OP.text, ping('last')));
  await until(() => ids().includes('last'));
  expect(client.isClosed).toBe(false);
}

/** The connection ends, and what came behind the mistake has no effect. */
async function fails(before: readonly string[] = []): Promise<void> {
  client.write(frame(OP.text, ping('behind')));
  await until(() => client.isClosed);
  expect(ids()).toEqual(before);
  expect([undefined, 1002, 1007]).toContain(client.closeCode);
}

/** Ids of the commands that were answered; codes of those that could not be. */
function ids(): string[] {
  return client.messages.map(message => {
    const { id, code } = JSON.parse(message.toString()) as { id?: string; code?: string };
    return code ?? String(id);
  });
}

const pongs = () => client.frames.filter(({ opcode }) => opcode === OPCODE.pong).map(({ payload }) => payload);

describe('R47 framing', () => {
  it.each([
    ['1.1.2', 125],
    ['1.1.3', 126],
    ['1.1.4', 127],
    ['1.1.5', 128],
    ['1.1.6', 65_535],
    ['1.1.7', 65_536],
    ['9.1.3', 1_048_576],
  ])('R47 %s a text of %i bytes is taken', async (_case, length) => {
    await send(frame(OP.text, padded('a', length)));
    await lives();
    expect(ids()).toEqual([length > READ_BYTES_MAX ? 'payload_too_large' : 'a', 'last']);
  });

  it.each([
    ['1.1.1', 1, 0],
    ['1.2.1', 2, 0],
    ['1.2.2', 2, 125],
    ['1.2.3', 2, 126],
    ['1.2.6', 2, 65_535],
    ['1.2.7', 2, 65_536],
    ['9.2.3', 2, 1_048_576],
  ])('R47 %s a message of opcode %i and %i bytes that is no command is answered by an error', async (_case, op, n) => {
    await send(frame(op, binary(n)));
    await lives();
    expect(ids()).toEqual([n > READ_BYTES_MAX ? 'payload_too_large' : 'invalid_json', 'last']);
  });

  it.each([
    ['1.1.8', [padded('a', 60_000)], 997],
    ['9.3.1', [padded('a', 65_536)], 64],
    ['9.5.1', [padded('a', 1_048_576)], 65_536],
  ])('R47 %s one frame in many pieces of TCP is one message', async (_case, [text = ''], size) => {
    const bytes = frame(OP.text, text, { mask: [9, 8, 7, 6] });
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    await send(...pieces);
    await lives();
    expect(ids()).toEqual([text.length > READ_BYTES_MAX ? 'payload_too_large' : 'a', 'last']);
  });

  it('R47 octet by octet a whole conversation is understood', async () => {
    client = await RawClient.connect(`${gateway.url}/ws`);
    const bytes = Buffer.concat([
      ...fragments(OP.text, [ping('a').slice(0, 9), ping('a').slice(9)]),
      frame(OP.ping, 'p'),
    ]);
    for (const octet of chopped(bytes)) {
      client.write(octet);
      await new Promise(resolve => setImmediate(resolve));
    }
    await lives();
    expect(ids()).toEqual(['a', 'last']);
    expect(pongs()).toEqual([Buffer.from('p')]);
  });

  it('R47 frames that are not masked fail the connection (RFC 6455 section 5.1)', async () => {
    await send(frame(OP.text, ping('a'), { mask: undefined }));
    await fails();
  });

  it.each([
    ['2^63 bytes', 2n ** 63n],
    ['2^63 − 1 bytes', 2n ** 63n - 1n],
    ['2^32 bytes', 2n ** 32n],
    ['16 MiB and one byte', 16n * 1024n ** 2n + 1n],
  ])('R47 a frame that claims %s fails the connection, and nothing is allocated for it', async (_what, length) => {
    await send(frame(OP.text, 'x', { length, lengthBits: 64 }));
    await fails();
  });
});

describe('R47 pings and pongs', () => {
  it.each([
    ['2.1', ''],
    ['2.2', 'Hello, world!'],
    ['2.3', Buffer.from('00fffefdfcfb00ff', 'hex')],
    ['2.4', 'x'.repeat(125)],
  ])('R47 %s a ping is answered by a pong of the same bytes', async (_case, payload) => {
    await send(frame(OP.ping, payload));
    await lives();
    expect(pongs()).toEqual([Buffer.from(payload as string)]);
  });

  it('R47 2.5 a ping of 126 bytes fails the connection', async () => {
    await send(frame(OP.ping, 'x'.repeat(126)));
    await fails();
  });

  it('R47 2.6 a ping in single octets is answered', async () => {
    await send(...chopped(frame(OP.ping, 'x'.repeat(125))));
    await lives();
    expect(pongs()).toHaveLength(1);
  });

  it.each([
    ['2.7', ''],
    ['2.8', 'unasked'],
  ])('R47 %s a pong that nobody asked for is ignored', async (_case, payload) => {
    await send(frame(OP.pong, payload));
    await lives();
    expect(client.frames).toHaveLength(1);
  });

  it('R47 2.9 a pong that nobody asked for, then a ping', async () => {
    await send(frame(OP.pong, 'unasked'), frame(OP.ping, 'asked'));
    await lives();
    expect(pongs()).toEqual([Buffer.from('asked')]);
  });

  it('R47 2.10 2.11 ten pings are answered one by one and in order, also in single octets', async () => {
    const pings = Array.from({ length: 10 }, (_, i) => frame(OP.ping, `payload-${i}`));
    await send(...pings, ...pings.flatMap(chopped));
    await lives();
    const expected = Array.from({ length: 10 }, (_, i) => Buffer.from(`payload-${i}`));
    expect(pongs()).toEqual([...expected, ...expected]);
  });
});

describe('R47 what is reserved', () => {
  it.each([
    ['3.1', OP.text, 1],
    ['3.2', OP.text, 2],
    ['3.3', OP.text, 3],
    ['3.4', OP.text, 4],
    ['3.5', OP.binary, 5],
    ['3.6', OP.ping, 6],
    ['3.7', OP.close, 7],
  ])(
    'R47 %s on opcode %i the reserved bits %i fail the connection; what came before is served',
    async (_c, op, rsv) => {
      await sendAnswered('before', frame(OP.text, ping('before')));
      client.write(frame(op, '', { rsv }));
      await fails(['before']);
    },
  );

  it.each([
    ['4.1.1', 3],
    ['4.1.2', 4],
    ['4.1.3', 5],
    ['4.1.4', 6],
    ['4.1.5', 7],
    ['4.2.1', 11],
    ['4.2.2', 12],
    ['4.2.3', 13],
    ['4.2.4', 14],
    ['4.2.5', 15],
  ])('R47 %s opcode %i fails the connection; what came before is served', async (_case, op) => {
    await sendAnswered('before', frame(OP.text, ping('before')));
    client.write(Buffer.concat([frame(op, 'x'), frame(OP.ping)]));
    await fails(['before']);
  });
});

describe('R47 fragments', () => {
  const [head, middle, tail] = ['{"action":"ping",', '"id":', '"a"}'];

  it.each([
    ['5.1', OP.ping],
    ['5.2', OP.pong],
    ['7.1.x', OP.close],
  ])('R47 %s a control frame (opcode %i) in fragments fails the connection', async (_case, op) => {
    await send(frame(op, 'a', { fin: false }), frame(OP.continuation, 'b'));
    await fails();
  });

  it.each([
    ['5.3', false],
    ['5.5', true],
  ])('R47 %s a text of two fragments is one message', async (_case, isChopped) => {
    const frames = fragments(OP.text, [head, middle + tail]);
    await send(...(isChopped ? frames.flatMap(chopped) : frames));
    await lives();
    expect(ids()).toEqual(['a', 'last']);
  });

  it.each([
    ['5.6', false],
    ['5.8', true],
  ])('R47 %s a ping between two fragments is answered at once, the message behind it', async (_case, isChopped) => {
    const [first, second] = fragments(OP.text, [head, middle + tail]) as [Buffer, Buffer];
    const frames = [first, frame(OP.ping, 'between'), second];
    await send(...(isChopped ? frames.flatMap(chopped) : frames));
    await lives();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([OPCODE.pong, OPCODE.text, OPCODE.text]);
  });

  it.each([
    ['5.9', true],
    ['5.10', false],
    ['5.12', true],
    ['5.14', false],
  ])('R47 %s a continuation of nothing (last: %s) fails the connection', async (_case, fin) => {
    await send(frame(OP.continuation, 'never began', { fin }), frame(OP.text, ping('a')));
    await fails();
  });

  it('R47 5.15 a continuation behind a whole message fails the connection; the message is answered', async () => {
    await sendAnswered('a', ...fragments(OP.text, [head, middle + tail]));
    client.write(frame(OP.continuation, 'more', { fin: false }));
    await fails(['a']);
  });

  it.each([
    ['5.16', OP.continuation, false],
    ['5.17', OP.continuation, true],
  ])('R47 %s opcode %i, last: %s, before a text fails the connection', async (_case, op, fin) => {
    await send(frame(op, 'x', { fin }), frame(OP.text, ping('a')), frame(OP.continuation, 'x'));
    await fails();
  });

  it('R47 5.18 a text within the fragments of another fails the connection', async () => {
    await send(frame(OP.text, head, { fin: false }), frame(OP.text, ping('a')));
    await fails();
  });

  it.each(['5.19', '5.20'])('R47 %s pings between five fragments are answered, and so is the message', async () => {
    const [a, b, c, d, e] = fragments(OP.text, [head, '', middle, '"a"', '}']) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    await send(a, b, frame(OP.ping, 'one'), c, d, frame(OP.ping, 'two'), e);
    await lives();
    expect(pongs()).toEqual([Buffer.from('one'), Buffer.from('two')]);
    expect(ids()).toEqual(['a', 'last']);
  });

  it('R47 6.1.2 6.1.3 fragments without a byte are a message without a byte', async () => {
    await send(...fragments(OP.text, ['', '', '']), ...fragments(OP.text, ['', ping('a'), '']));
    await lives();
    expect(ids()).toEqual(['invalid_json', 'a', 'last']);
  });

  it('R47 9.3 9.4 a thousand fragments, and one message too long in all', async () => {
    const text = padded('a', 50_000);
    await send(
      ...fragments(
        OP.text,
        Array.from({ length: 1000 }, (_, i) => text.slice(i * 50, (i + 1) * 50)),
      ),
    );
    await lives();
    expect(ids()).toEqual(['a', 'last']);
    await client.close();
    const endless = Buffer.alloc(1024 * 1024, 0x20);
    await send(frame(OP.text, '', { fin: false }));
    for (let i = 0; i < 17; i++) client.write(frame(OP.continuation, endless, { fin: false }));
    await fails();
  });
});

describe('R47 UTF-8', () => {
  it.each([
    ['6.2.1', 'Hello-µ@ßöäüàá-UTF-8!!'],
    ['6.5.1', '\ufeffκόσμε'],
    ['6.7.1', '\u007f\u0080'],
    ['6.9.2', '\u07ff'],
    ['6.9.3', '\uffff'],
    ['6.9.4', '\u{10ffff}'],
    ['6.11.1', '\ud7ff'],
    ['6.11.2', '\ue000'],
    ['6.11.3', '\ufffd'],
    ['6.22.1', '\ufffe'],
    ['6.22.34', '\u{10fffe}'],
    ['6.23.1', '\u{fffd}\ufff9\ufffa'],
  ])('R47 %s %j is taken, whole, in fragments within a character, in single octets', async (_case, text) => {
    const bytes = Buffer.from(ping(text));
    const cut = bytes.length - 3;
    const pieces = fragments(OP.text, [bytes.subarray(0, cut), bytes.subarray(cut)]);
    await send(frame(OP.text, bytes), ...pieces, ...fragments(OP.text, chopped(bytes)));
    await lives();
    expect(ids()).toEqual([text, text, text, 'last']);
  });

  const INVALID: readonly (readonly [string, string, string])[] = [
    ['6.3.1', 'a surrogate within text', 'cebae1bdb9cf83cebcceb5 eda080 656469746564'],
    ['6.4.1', 'a byte sequence beyond U+10FFFF', 'cebae1bdb9cf83cebcceb5 f4908080 656469746564'],
    ['6.6.1', 'half a character', 'ce'],
    ['6.6.3', 'a character and a half', 'ceba e1'],
    ['6.6.6', 'a character of three bytes without its last', 'ceba e1bd'],
    ['6.8.1', 'five bytes for one character', 'f888808080'],
    ['6.8.2', 'six bytes for one character', 'fc8480808080'],
    ['6.10.1', 'the first character beyond the last', 'f4908080'],
    ['6.10.2', 'five bytes, all bits set', 'fbbfbfbfbf'],
    ['6.10.3', 'six bytes, all bits set', 'fdbfbfbfbfbf'],
    ['6.12.1', 'a continuation alone', '80'],
    ['6.12.2', 'the last continuation alone', 'bf'],
    ['6.12.8', 'all continuations', Array.from({ length: 63 }, (_, i) => (0x80 + i).toString(16)).join('')],
    ['6.13.1', 'first bytes of two, lonely', 'c020c120c220c320df20'],
    ['6.13.2', 'first bytes of three, lonely', 'e020e120ef20'],
    ['6.13.3', 'first bytes of four, lonely', 'f020f120f720'],
    ['6.14.1', 'two bytes without the last', 'c0'],
    ['6.14.3', 'four bytes without the last', 'f08080'],
    ['6.15.1', 'characters without their last bytes, one after another', 'c0e080f08080f8808080dfefbff7bfbf'],
    ['6.16.1', 'fe', 'fe'],
    ['6.16.2', 'ff', 'ff'],
    ['6.16.3', 'fe fe ff ff', 'fefeffff'],
    ['6.17.1', 'a slash in two bytes', 'c0af'],
    ['6.17.2', 'a slash in three bytes', 'e080af'],
    ['6.17.3', 'a slash in four bytes', 'f08080af'],
    ['6.18.1', 'the longest that two bytes must not hold', 'c1bf'],
    ['6.18.2', 'the longest that three bytes must not hold', 'e09fbf'],
    ['6.18.3', 'the longest that four bytes must not hold', 'f08fbfbf'],
    ['6.19.1', 'a zero in two bytes', 'c080'],
    ['6.20.1', 'a single surrogate', 'eda080'],
    ['6.20.7', 'the last surrogate', 'edbfbf'],
    ['6.21.1', 'two surrogates, as UTF-16 pairs them', 'eda080edb080'],
  ];

  it.each(INVALID)('R47 %s %s fails the connection', async (_case, _what, bytes) => {
    await send(frame(OP.text, pingBytes(hex(bytes))));
    await fails();
  });

  it.each(INVALID)('R47 %s %s in single octets of fragments fails it too', async (_case, _what, bytes) => {
    await send(...fragments(OP.text, chopped(pingBytes(hex(bytes)))));
    await fails();
  });

  it('R47 6.1 binary messages may hold any bytes', async () => {
    await send(...INVALID.map(([, , bytes]) => frame(OP.binary, hex(bytes))));
    await lives();
    expect(ids()).toEqual([...INVALID.map(() => 'invalid_json'), 'last']);
  });
});

describe('R47 closing', () => {
  /** The other side's close frame, then the end. */
  async function closed(): Promise<{ code: number | undefined; others: number }> {
    await until(() => client.isClosed);
    return { code: client.closeCode, others: client.frames.filter(({ opcode }) => opcode !== OPCODE.close).length };
  }

  it('R47 7.1.1 what came before a close is answered', async () => {
    await send(frame(OP.text, ping('a')), closeFrame(1000));
    expect(await closed()).toEqual({ code: 1000, others: 1 });
  });

  it('R47 7.1.2 7.1.3 7.1.4 what comes behind a close is not', async () => {
    await send(closeFrame(1000), closeFrame(1000), frame(OP.ping, 'x'), frame(OP.text, ping('a')));
    expect(await closed()).toEqual({ code: 1000, others: 0 });
    expect(client.frames).toHaveLength(1);
  });

  it('R47 7.1.5 a close between fragments ends all of it', async () => {
    await send(frame(OP.text, '{"action":', { fin: false }), closeFrame(1000), frame(OP.continuation, '"ping"}'));
    expect(await closed()).toEqual({ code: 1000, others: 0 });
  });

  it('R47 7.1.6 a close behind 256 kB is answered', async () => {
    await send(frame(OP.text, padded('a', 262_144)), closeFrame(1000), frame(OP.ping));
    expect(await closed()).toEqual({ code: 1000, others: 1 });
  });

  it('R47 7.3.1 a close without a code is answered by one without', async () => {
    await send(frame(OP.close));
    expect(await closed()).toEqual({ code: undefined, others: 0 });
  });

  it.each([
    ['7.3.2', Buffer.from('x'), 'half a code'],
    [
      '7.5.1',
      Buffer.concat([hex('03e8'), hex('cebae1bdb9cf83cebcceb5eda080656469746564')]),
      'a reason that is no UTF-8',
    ],
    ['7.5.1b', Buffer.concat([hex('03e8'), hex('ce')]), 'a reason that ends within a character'],
  ])('R47 %s a close with %3$s ends the connection, and its code is not given back', async (_case, payload) => {
    await send(frame(OP.close, payload), frame(OP.text, ping('a')));
    expect(await closed()).toEqual({ code: undefined, others: 0 });
  });

  it('R47 7.3.6 a close of 126 bytes fails the connection', async () => {
    await send(closeFrame(1000, 'x'.repeat(124)));
    await fails();
  });

  it('R47 7.3.5 7.7.x a code is given back with its reason', async () => {
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 4000, 4999]) {
      await send(closeFrame(code, 'x'.repeat(123)));
      expect(await closed(), `${code}`).toEqual({ code, others: 0 });
      await client.close();
    }
  });

  // 3000 to 3999 are for libraries to register (section 7.4.2), and 1012 to 1014 were: uWS knows none of them, and ends just so.
  it('R47 7.9.x 7.13.x codes that must not be on the wire are not given back', async () => {
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
      await send(closeFrame(code, 'why'));
      expect(await closed(), `${code}`).toEqual({ code: undefined, others: 0 });
      await client.close();
    }
  });
});
