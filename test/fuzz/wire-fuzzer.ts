/**
 * Frames over raw sockets: mostly well-formed ones with generated commands in them, in fragments and between control frames,
 * and now and then one that breaks the protocol. After each volley the connection must have answered its last ping, or have
 * been ended for a frame that allowed it.
 */

import { OPCODE, RawClient } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { closeFrame, frame, OP } from '../support/wire-frames.js';
import type { AnswerCheck } from './answers.js';
import { CommandGenerator } from './commands.js';
import { FuzzRandom } from './fuzz-random.js';

interface WireFuzzOptions {
  /** `ws://host:port` */
  readonly url: string;
  readonly frames: number;
  readonly seed: number;
  /** Credentials that are good, and such as are not. */
  readonly tokens: readonly string[];
  readonly answers: AnswerCheck;
  readonly onProgress?: (framesSent: number) => void;
}

interface WireFuzzResult {
  readonly framesSent: number;
  readonly connections: number;
  /** What should not have been; empty when all is well. Each names its connection, to be found again with the seed. */
  readonly problems: readonly string[];
}

const CONNECTIONS_AT_ONCE = 6;
const VOLLEY_FRAMES = 50;
/** Volleys of one connection, at most. */
const VOLLEYS_MAX = 12;
/** A frame in so many breaks the protocol, or leaves it open what the bytes behind it are. */
const BREAKING_SHARE = 1 / 250;
const ANSWER_TIMEOUT_MS = 20_000;
/** After a frame that leaves it open whether an answer comes. */
const PATIENCE_MS = 300;
const PROBLEMS_MAX = 20;
const PATHS = [
  '/ws',
  '/ws?format=msgpack',
  '/ws/trades',
  '/ws/markets/A',
  '/ws/markets/A?depth=10',
  '/ws/trades?format=msgpack',
];

export async function fuzzWire(options: WireFuzzOptions): Promise<WireFuzzResult> {
  const problems: string[] = [];
  let framesSent = 0;
  let connections = 0;
  const worker = async () => {
    while (framesSent < options.frames && problems.length < PROBLEMS_MAX) {
      const number = connections++;
      const conversation = new Conversation(options, number, () => {
        framesSent++;
        if (framesSent % 10_000 === 0) options.onProgress?.(framesSent);
      });
      try {
        await conversation.run(() => framesSent < options.frames);
      } catch (cause) {
        problems.push(`connection ${number}: ${cause instanceof Error ? cause.message : cause}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, worker));
  return { framesSent, connections, problems };
}

class Conversation {
  readonly #random: FuzzRandom;
  readonly #commands: CommandGenerator;
  readonly #options: WireFuzzOptions;
  readonly #onFrame: () => void;
  readonly #isMsgpack: boolean;
  readonly #path: string;
  readonly #closeCodes: number[] = [];
  #mayEnd = false;
  #volleys = 0;
  #checked = 0;

  /** What it says follows from the seed and its number alone. */
  constructor(options: WireFuzzOptions, number: number, onFrame: () => void) {
    this.#options = options;
    this.#onFrame = onFrame;
    this.#random = new FuzzRandom((options.seed * 1_000_003 + number) >>> 0);
    this.#commands = new CommandGenerator(this.#random, options.tokens);
    this.#path = this.#random.pick(PATHS);
    this.#isMsgpack = this.#path.includes('msgpack');
  }

  async run(mayGoOn: () => boolean): Promise<void> {
    const [good] = this.#options.tokens;
    const credential = this.#random.chance(0.5) ? `${this.#path.includes('?') ? '&' : '?'}token=${good}` : '';
    const client = await RawClient.connect(`${this.#options.url}${this.#path}${credential}`);
    try {
      if (!client.head.startsWith('HTTP/1.1 101')) throw new Error(`not accepted: ${client.head}`);
      const volleys = 1 + this.#random.below(VOLLEYS_MAX);
      for (let n = 0; n < volleys && mayGoOn() && !this.#mayEnd && !client.isClosed; n++) await this.#volley(client);
      this.#check(client);
    } finally {
      await client.close();
    }
  }

  async #volley(client: RawClient): Promise<void> {
    const bytes: Buffer[] = [];
    for (let n = 0; n < VOLLEY_FRAMES && !this.#mayEnd; n++) bytes.push(...this.#frames());
    const last = Buffer.from(`volley ${++this.#volleys}`);
    bytes.push(frame(OP.ping, last));
    this.#write(client, Buffer.concat(bytes));
    const isAnswered = () =>
      client.frames.some(({ opcode, payload }) => opcode === OPCODE.pong && payload.equals(last));
    if (this.#mayEnd) {
      // What follows half a frame may be swallowed by it: nothing is owed.
      await until(() => client.isClosed || isAnswered(), PATIENCE_MS).catch(() => undefined);
      return;
    }
    await until(() => client.isClosed || isAnswered(), ANSWER_TIMEOUT_MS, `the pong of ${last}`);
    this.#check(client);
    const isToldWhy = client.frames.some(({ opcode }) => opcode === OPCODE.close);
    if (client.isClosed && !isToldWhy) throw new Error('it was ended without a close frame, for nothing that it sent');
  }

  /** In pieces, as the network may deliver them. */
  #write(client: RawClient, bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const size = this.#random.chance(0.1) ? 1 + this.#random.below(20) : 1 + this.#random.below(20_000);
      client.write(bytes.subarray(at, at + size));
      at += size;
    }
  }

  /** The frames of one message, with what may stand between them. */
  #frames(): Buffer[] {
    if (this.#random.chance(BREAKING_SHARE)) return this.#breaking();
    this.#onFrame();
    if (this.#random.chance(0.03)) return [this.#control()];
    const { bytes, isBinary } = this.#commands.message(this.#isMsgpack);
    const opcode = isBinary || !isUtf8(bytes) ? OP.binary : OP.text;
    if (this.#random.chance(0.9)) return [frame(opcode, bytes, { mask: this.#mask() })];
    const pieces = 2 + this.#random.below(4);
    const frames: Buffer[] = [];
    for (let i = 0; i < pieces; i++) {
      if (i > 0) this.#onFrame();
      const from = Math.floor((bytes.length * i) / pieces);
      const to = Math.floor((bytes.length * (i + 1)) / pieces);
      const options = { fin: i === pieces - 1, mask: this.#mask() };
      frames.push(frame(i === 0 ? opcode : OP.continuation, bytes.subarray(from, to), options));
      if (i < pieces - 1 && this.#random.chance(0.3)) frames.push(this.#control());
    }
    return frames;
  }

  #control(): Buffer {
    return frame(this.#random.pick([OP.ping, OP.pong]), this.#random.bytes(this.#random.below(126)), {
      mask: this.#mask(),
    });
  }

  #breaking(): Buffer[] {
    this.#mayEnd = true;
    this.#onFrame();
    const payload = this.#random.bytes(this.#random.below(200));
    switch (this.#random.below(8)) {
      case 0:
        return [this.#random.bytes(1 + this.#random.below(200))];
      case 1:
        return [frame(this.#random.below(16), payload, { rsv: 1 + this.#random.below(7) })];
      case 2:
        return [frame(this.#random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payload)];
      case 3:
        return [frame(OP.text, Buffer.concat([payload, Buffer.from([0xff])]))];
      case 4:
        return [frame(OP.continuation, payload, { fin: this.#random.chance(0.5) })];
      case 5:
        return [frame(OP.text, payload, { mask: undefined })];
      case 6: {
        const code = this.#random.pick([
          0, 999, 1000, 1001, 1005, 1006, 1011, 1016, 2999, 3000, 4000, 4999, 5000, 65_535,
        ]);
        this.#closeCodes.push(code);
        return [closeFrame(code, 'x'.repeat(this.#random.below(126)))];
      }
      default:
        return [
          frame(this.#random.pick([OP.text, OP.ping]), payload, {
            length: this.#random.pick([126, 70_000, 2 ** 31, 2 ** 52]),
          }),
        ];
    }
  }

  #mask(): number[] {
    return [...this.#random.bytes(4)];
  }

  #check(client: RawClient): void {
    const { answers } = this.#options;
    for (; this.#checked < client.frames.length; this.#checked++) {
      const { opcode, payload } = client.frames[this.#checked] as (typeof client.frames)[number];
      const problem =
        opcode === OPCODE.text || opcode === OPCODE.binary
          ? answers.problemOf(payload, opcode === OPCODE.binary)
          : opcode === OPCODE.close
            ? answers.closeProblemOf(payload.length < 2 ? undefined : payload.readUInt16BE(0), this.#closeCodes)
            : undefined;
      if (problem !== undefined) throw new Error(problem);
    }
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
