import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TestAcceptor } from '../../../support/fix-acceptor.js';
import { TestFixClient } from '../../../support/fix-client.js';

type Fate = 'arrives' | 'lost' | 'twice' | 'garbled';
type Step =
  | { readonly do: 'request'; readonly fate: Fate }
  | { readonly do: 'answer'; readonly fate: Fate }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'reconnect' };

const fate = fc.constantFrom<Fate>('arrives', 'arrives', 'lost', 'twice', 'garbled');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fate.map(how => ({ do: 'request' as const, fate: how })) },
  { weight: 5, arbitrary: fate.map(how => ({ do: 'answer' as const, fate: how })) },
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 8_000 }).map(ms => ({ do: 'pass' as const, ms })) },
  { weight: 1, arbitrary: fc.constant({ do: 'reconnect' as const }) },
);

/** A client and a chain of acceptor sessions with the same numbers, over a line that tests break. */
class Line {
  acceptor = new TestAcceptor();
  readonly client: TestFixClient;
  /** Requests that reached the application, by their number. */
  readonly delivered: string[] = [];
  requests = 0;
  #nowMs = this.acceptor.nowMs;
  #fate: Fate = 'arrives';
  #answerFate: Fate = 'arrives';

  constructor() {
    this.client = new TestFixClient(
      () => this.#nowMs,
      bytes => {
        for (const copy of fated([bytes], this.#fate, garbledBytes)) {
          if (!this.acceptor.session.isClosed) this.acceptor.session.receive(copy);
        }
      },
    );
    this.#connect({ nextIn: 1, nextOut: 1 });
  }

  run(step: Step): void {
    this.#fate = step.do === 'request' ? step.fate : 'arrives';
    this.#answerFate = step.do === 'answer' ? step.fate : 'arrives';
    if (step.do === 'request') this.#request();
    else if (step.do === 'answer' && this.acceptor.session.isActive) {
      this.acceptor.session.begin('B').field(148, 'news');
      this.acceptor.session.end();
    } else if (step.do === 'pass') this.pass(step.ms);
    else if (step.do === 'reconnect') this.#reconnect();
    this.#fate = 'arrives';
    this.#carry();
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.#nowMs += 100;
      this.acceptor.nowMs = this.#nowMs;
      if (!this.acceptor.session.isClosed) this.acceptor.session.tick();
      this.client.tick();
      this.#carry();
    }
  }

  #request(): void {
    if (!this.client.isLoggedOn) return;
    const id = String(++this.requests);
    this.client.send('V', [
      [262, id],
      [263, 0],
      [264, 0],
      [267, 1],
      [269, 0],
      [146, 1],
      [55, 'A'],
    ]);
  }

  #carry(): void {
    for (let turn = 0; turn < 20; turn++) {
      const { sent } = this.acceptor;
      this.acceptor.sent = '';
      if (sent === '') break;
      for (const copy of fated([sent], this.#answerFate, garbledText)) this.client.receive(copy);
      this.#answerFate = 'arrives';
    }
    if (this.client.isOver || this.acceptor.session.isClosed) this.#reconnect();
  }

  #reconnect(): void {
    const { numbers } = this.acceptor.session;
    this.acceptor.session.drop('the connection broke');
    this.#connect(numbers);
  }

  #connect(numbers: { nextIn: number; nextOut: number }): void {
    this.acceptor = new TestAcceptor({}, message => {
      this.delivered.push(message.text(262) ?? '');
      return undefined;
    });
    this.acceptor.nowMs = this.#nowMs;
    this.acceptor.numbers = numbers;
    this.client.logOn();
    // A Logout of the acceptor ends this connection too; the next step connects again.
    const { sent } = this.acceptor;
    this.acceptor.sent = '';
    this.client.receive(sent);
  }
}

function fated<T>(items: readonly T[], how: Fate, garble: (item: T) => T): T[] {
  if (how === 'lost') return [];
  if (how === 'twice') return [...items, ...items];
  return how === 'garbled' ? items.map(garble) : [...items];
}

function garbledBytes(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = Math.max(20, Math.floor(copy.length / 2));
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

function garbledText(text: string): string {
  return text.replace(/10=\d/, '10=9');
}

/** Fields of the header that end the session if they are wrong. */
const ENDS_SESSION = new Set([8, 34, 43, 49, 52, 56]);

describe('R73 loss, duplication, garbling and reconnects', () => {
  it('R73 end with both sides agreeing on numbers, and each request delivered once, in order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const line = new Line();
        for (const each of steps) line.run(each);
        // Heartbeats of both sides show what is missing.
        line.pass(40_000);
        const { nextIn, nextOut } = line.acceptor.session.numbers;
        expect({ nextIn, nextOut }).toEqual({ nextIn: line.client.nextOut, nextOut: line.client.nextIn });
        expect(line.delivered).toEqual(Array.from({ length: line.requests }, (_, i) => String(i + 1)));
      }),
      { numRuns: 400 },
    );
  });

  it('R73 100,000 messages with random fields are answered or ignored, and the session still works', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn();
    let seed = 7;
    const random = (max: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return (seed >>> 8) % max;
    };
    const types = ['0', '1', '2', '3', 'V', 'D', 'j', 'ZZ', ''];
    const values = ['1', '0', 'Y', '', '-5', '99999999999999999999', 'x'.repeat(50), '20260115-12:00:00', '\xff'];
    for (let round = 0; round < 100_000; round++) {
      const fields = Array.from(
        { length: random(6) },
        () => [random(1_000), values[random(values.length)] ?? ''] as const,
      );
      const { nextIn } = acceptor.session.numbers;
      const unset = random(50) === 0 ? { 49: '' } : {};
      acceptor.receive(
        types[random(types.length)] ?? '',
        nextIn,
        fields.filter(([tag]) => !ENDS_SESSION.has(tag)),
        unset,
      );
      acceptor.sent = '';
      if (acceptor.closed !== undefined) break;
      if (round % 10_000 === 0) acceptor.pass(100);
    }
    expect(acceptor.closed).toBeUndefined();
    acceptor.receive('1', acceptor.session.numbers.nextIn, [[112, 'still here']]);
    expect(acceptor.takeShort([112])).toEqual(['0 112=still here']);
  });
});
