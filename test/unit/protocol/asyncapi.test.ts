/** The AsyncAPI document: valid, complete, and the one that is checked in. What it says of real messages: test/integration. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { applyPatch, type Operation } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from '../../../src/encoder/event-kinds.js';
import { SimulatorFeed } from '../../../src/feed/simulator/simulator.js';
import type { FeedMessage } from '../../../src/feed-contract/feed.js';
import { decimalOf } from '../../../src/protocol/amount.js';
import { asyncApiDocument } from '../../../src/protocol/asyncapi.js';
import { bookChecksum } from '../../../src/protocol/checksum.js';
import { CloseCode } from '../../../src/protocol/close-code.js';
import { ERROR_CODES, GAP_REASONS, STALE_REASONS } from '../../../src/protocol/codes.js';
import { parseCommand } from '../../../src/protocol/commands.js';
import { isSymbol, parseSubject } from '../../../src/protocol/topics.js';
import { FakeClock } from '../../support/fake-clock.js';
import {
  ASYNCAPI_FILE,
  type AsyncApi,
  commandValidator,
  frameValidator,
  MessageValidator,
  messagesOf,
  newAjv,
  type Ref,
} from '../../support/frame-validator.js';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const built = JSON.parse(JSON.stringify(asyncApiDocument(version))) as AsyncApi;

/** Every object inside, with the path to it. */
function* objectsOf(value: unknown, path = '#'): Generator<[path: string, object: Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>];
  for (const [member, inner] of Object.entries(value)) yield* objectsOf(inner, `${path}/${member}`);
}

function resolve({ $ref }: Ref): unknown {
  if (!$ref.startsWith('#/')) return undefined;
  return $ref
    .slice(2)
    .split('/')
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], built);
}

const constantsOf = (schema: string) =>
  [...objectsOf(built.components.schemas[schema])]
    .map(([, { const: value }]) => value)
    .filter(value => value !== undefined);

describe('R36 the AsyncAPI document', () => {
  it('R36 is the one that is checked in', () => {
    const how = 'npm run docs writes it';
    expect(JSON.parse(readFileSync(ASYNCAPI_FILE, 'utf8')), how).toEqual(built);
  });

  it('R36 is valid AsyncAPI 3.0', () => {
    const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
    const ajv = new Ajv({ allErrors: true, strict: false });
    addFormats.default(ajv);
    const validate = ajv.compile(schema);
    validate(built);
    expect(validate.errors).toBeNull();
  });

  it('R36 has no reference that leads nowhere', () => {
    const references = [...objectsOf(built)].filter(([, object]) => typeof object.$ref === 'string');
    const broken = references.filter(([, object]) => resolve(object as unknown as Ref) === undefined);
    expect(references.length).toBeGreaterThan(300);
    expect(broken).toEqual([]);
  });

  it('R36 refers in every operation to messages of its own channel', () => {
    const strangers = Object.entries(built.operations).flatMap(([key, { channel, messages, reply }]) => [
      ...messages.filter(({ $ref }) => !$ref.startsWith(`${channel.$ref}/messages/`)).map(() => key),
      ...(reply?.messages ?? [])
        .filter(({ $ref }) => !$ref.startsWith(`${reply?.channel.$ref}/messages/`))
        .map(() => key),
    ]);
    expect(strangers).toEqual([]);
  });

  it('R36 uses every message and every shared schema', () => {
    const text = JSON.stringify(built);
    const unused = [
      ...Object.keys(built.components.messages).map(key => `#/components/messages/${key}`),
      ...Object.keys(built.components.schemas).map(key => `#/components/schemas/${key}`),
    ].filter(path => !text.includes(`"$ref":"${path}"`));
    expect(unused).toEqual([]);
  });

  it('R36 declares the parameters of every address, and no others', () => {
    const wrong = Object.entries(built.channels).filter(([, channel]) => {
      const { address, parameters = {} } = channel as { address: string | null; parameters?: object };
      const named = [...(address ?? '').matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      return named.sort().join() !== Object.keys(parameters).sort().join();
    });
    expect(wrong).toEqual([]);
  });

  it('R36 has the endpoints of the contract', () => {
    const endpoints = Object.values(built.channels).map(({ address }) => address ?? '');
    const documented = [...read('src/protocol/README.md').matchAll(/^\| `(\/ws[^`?[]*)/gm)].map(([, path]) => path);
    expect(documented.length).toBeGreaterThanOrEqual(4);
    expect(endpoints).toEqual(expect.arrayContaining(documented));
    expect(endpoints.filter(address => address.startsWith('/ws')).sort()).toEqual([
      '/ws',
      '/ws/analytics',
      '/ws/markets/{symbol}',
      '/ws/orders',
      '/ws/quotes',
      '/ws/trades',
    ]);
  });

  it('R36 has the codes and reasons that codes.ts has', () => {
    expect(constantsOf('ErrorCode').sort()).toEqual(Object.keys(ERROR_CODES).sort());
    expect(constantsOf('CloseCode').sort()).toEqual(Object.values(CloseCode).sort());
    expect(constantsOf('GapReason').sort()).toEqual(Object.keys(GAP_REASONS).sort());
    expect(constantsOf('StaleReason').sort()).toEqual(Object.keys(STALE_REASONS).sort());
  });
});

describe('R36 an example', () => {
  const ajv = newAjv(built);
  const examples = Object.entries(built.components.messages).flatMap(([key, message]) =>
    message.examples.map(example => ({ key, message, example })),
  );

  it('R36 is there for every message', () => {
    expect(examples.map(({ key }) => key)).toEqual(Object.keys(built.components.messages));
  });

  it.each(examples)('R36 is valid: $key', ({ key, message, example }) => {
    for (const part of ['payload', 'headers'] as const) {
      if (example[part] === undefined) continue;
      expect(message[part]).toBeDefined();
      const validate = ajv.compile({ $ref: `asyncapi#/components/messages/${key}/${part}` });
      validate(example[part]);
      expect(validate.errors).toBeNull();
    }
  });

  // Compiled once: each takes every message's schema.
  const frames = frameValidator(built);
  const commands = commandValidator(built);

  it.each(messagesOf(built, 'general.receive'))('R36 is taken by its own message alone: %s', key => {
    expect(frames.check(built.components.messages[key]?.examples[0]?.payload)).toEqual({ message: key });
  });

  it.each(messagesOf(built, 'general.send'))('R36 is a command that the gateway takes: %s', key => {
    const example = built.components.messages[key]?.examples[0]?.payload;
    expect(commands.check(example)).toEqual({ message: key });
    expect(parseCommand(example)).toMatchObject({ ok: true });
  });
});

describe('R36 the examples of depth', () => {
  it('R36 have the checksums of what they lead to', () => {
    const document = { bids: {}, asks: {} };
    for (const key of ['depth_snapshot', 'depth_delta']) {
      const frame = built.components.messages[key]?.examples[0]?.payload as {
        operations: Operation[];
        checksum: number;
      };
      applyPatch(document, frame.operations);
      expect(bookChecksum(Object.entries(document.asks), Object.entries(document.bids))).toBe(frame.checksum);
    }
  });
});

describe('R36 the validator of frames', () => {
  const frames = frameValidator(built);
  const pong = { type: 'pong', id: '7', time: '2026-11-20T22:50:12.178Z' };
  const trade = {
    type: 'trade_executed',
    trade_id: 1,
    symbol: 'A',
    price: 1,
    quantity: '1',
    epoch: 'e',
    prev_seq: 0,
    seq: 1,
  };

  it.each([
    ['a member that a control frame has not', { ...pong, more: 1 }, 'more'],
    ['a member that is missing', { type: 'pong' }, 'time'],
    ['a time that is none', { ...pong, time: 'noon' }, 'date-time'],
    ['a time that is not UTC', { ...pong, time: '2026-11-20T22:50:12+01:00' }, 'pattern'],
    ['a code that is none', { type: 'error', code: 'oops', message: '' }, '/code'],
    ['a type that is none', { type: 'telegram' }, 'no message telegram'],
    ['no object', null, 'no message'],
    ['an empty array', [], 'fewer than 1'],
    ['a trade without a seq', { ...trade, seq: undefined }, 'seq'],
  ])('R36 refuses %s', (_what, frame, reason) => {
    const verdict = frames.check(JSON.parse(JSON.stringify(frame)));
    expect('reasons' in verdict && verdict.reasons.join()).toContain(reason);
  });

  it('R36 lets publishers add members of their own to a trade', () => {
    expect(frames.check({ ...trade, venue: 'XNAS' })).toEqual({ message: 'trade_executed' });
  });

  it('R36 tells the forms of one type apart', () => {
    const checked = ['quotes_snapshot', 'quotes_delta', 'depth_snapshot', 'depth_delta', 'ack_auth', 'ack_publish'].map(
      key => frames.check(built.components.messages[key]?.examples[0]?.payload),
    );
    expect(checked).toHaveLength(6);
    expect(checked.every(verdict => 'message' in verdict)).toBe(true);
  });
});

describe('R36 the messages of publishers', () => {
  const published = ['quotes', 'books', 'trades', 'orders', 'analytics', 'rooms'] as const;
  const operationOf = (kind: string) => `published${kind.charAt(0).toUpperCase()}${kind.slice(1)}.send`;

  it('R36 are what the simulator publishes', async () => {
    const clock = new FakeClock();
    const config = { symbols: 0, updatesPerSecond: 500, intervalMs: 4000, seed: 1 };
    const feed = new SimulatorFeed({ config, symbols: ['AAPL', 'BTC/USDT'], clock });
    const validators = new Map(
      published.map(kind => [kind, new MessageValidator(built, messagesOf(built, operationOf(kind)))]),
    );
    const seen = new Set<string>();
    const message = ({ subject, payload }: FeedMessage) => {
      const kind = parseSubject(subject)?.kind ?? 'quotes';
      const verdict = validators.get(kind)?.check(JSON.parse(Buffer.from(payload).toString()));
      seen.add(JSON.stringify(verdict));
    };
    await feed.start({ message, status: () => {} });
    for (const kind of ['quotes', 'books', 'trades']) feed.follow(`md.${kind}.*`, true);
    clock.advanceMs(2_000);
    await feed.stop();
    const expected = ['quote', 'book', 'book_partial', 'trade'];
    expect([...seen].sort()).toEqual(expected.map(key => JSON.stringify({ message: key })).sort());
  });

  it.each(Object.entries(EVENT_KINDS))('R36 are taken by the encoder: %s', (kind, { read }) => {
    const [key = ''] = messagesOf(built, operationOf(kind));
    const example = built.components.messages[key]?.examples[0]?.payload as Record<string, unknown>;
    const names: Readonly<Record<string, string>> = {
      trades: 'AAPL',
      orders: 'alice',
      analytics: 'alerts',
      rooms: 'desk',
    };
    expect(typeof read(example, names[kind] ?? '')).toBe('object');
  });
});

describe('R36 the patterns of the document', () => {
  const ajv = newAjv(built);
  const nameFits = ajv.compile({ $ref: 'asyncapi#/components/schemas/Name' });
  const decimalFits = ajv.compile({ $ref: 'asyncapi#/components/schemas/Decimal' });
  const characters = Array.from({ length: 0x90 }, (_, code) => String.fromCharCode(code));
  const texts = ['AAPL', 'BTC/USDT', 'a.b', 'a..b', '.a', 'a.', '.', '', '__proto__', 'constructor', 'prototype', 'é']
    .concat(['constructors', 'x'.repeat(128), 'x'.repeat(129), ...characters, ...characters.map(c => `a${c}b`)])
    .concat([
      '0',
      '1.5',
      '1.',
      '.5',
      '1.2.3',
      '-1',
      '+1',
      '1e5',
      '007',
      '9'.repeat(64),
      '币安人生USDT',
      'a\u00a0b',
      '\ud83d',
    ]);

  it('R36 take for a name what the gateway takes', () => {
    expect(texts.filter(text => nameFits(text) !== isSymbol(text))).toEqual([]);
  });

  it('R36 take for a decimal what the gateway writes', () => {
    expect(texts.filter(text => decimalFits(text) !== (decimalOf(text) === text))).toEqual([]);
  });
});
