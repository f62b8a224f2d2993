/** A WebSocket client that holds all that it sends and gets against the AsyncAPI document. */
import { Packr } from 'msgpackr';
import WebSocket from 'ws';
import type { Format } from '../../src/protocol/view-options.js';
import { commandValidator, frameValidator } from './frame-validator.js';
import { until } from './until.js';

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
const frames = frameValidator();
const commands = commandValidator();

/** What several clients saw. */
export class Sightings {
  /** Messages of the document that came, by format. */
  readonly seen: Record<Format, Set<string>> = { json: new Set(), msgpack: new Set() };
  /** What came and is no message of the document. */
  readonly violations: string[] = [];
}

export type Frame = Record<string, unknown>;

export class CheckedClient {
  /** As they came; one of analytics is an array. */
  readonly frames: { readonly message: string; readonly frame: Frame }[] = [];
  closed: number | undefined;
  readonly #socket: WebSocket;
  readonly #format: Format;
  readonly #sightings: Sightings;
  #lastId = 0;

  private constructor(socket: WebSocket, format: Format, sightings: Sightings) {
    this.#socket = socket;
    this.#format = format;
    this.#sightings = sightings;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(data, isBinary));
    socket.on('close', code => {
      this.closed = code;
    });
    socket.on('error', () => {
      // Followed by 'close', which tests look at.
    });
  }

  /** @param url whole, with its query, but for the format */
  static async connect(url: string, format: Format, sightings: Sightings): Promise<CheckedClient> {
    const socket = new WebSocket(url, [`millrace.${format}`], { perMessageDeflate: false });
    // Before 'open', so that no frame that comes with the upgrade is missed.
    const client = new CheckedClient(socket, format, sightings);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return client;
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (isBinary !== (this.#format === 'msgpack'))
      this.#sightings.violations.push(`${this.#format}: binary ${isBinary}`);
    const frame = (isBinary ? packr.unpack(data) : JSON.parse(data.toString())) as Frame;
    const verdict = frames.check(frame);
    const message = 'message' in verdict ? verdict.message : 'invalid';
    if ('reasons' in verdict) {
      this.#sightings.violations.push(`${JSON.stringify(frame).slice(0, 600)}: ${verdict.reasons.join(' | ')}`);
    }
    this.#sightings.seen[this.#format].add(message);
    this.frames.push({ message, frame });
  }

  /** Sends a command, which must be one of the document, under an id of its own. */
  send(command: object): number {
    const withId = { ...command, id: ++this.#lastId };
    const verdict = commands.check(withId);
    if ('reasons' in verdict) throw new Error(`no command of the document: ${verdict.reasons.join(' | ')}`);
    this.sendRaw(withId);
    return this.#lastId;
  }

  /** Sends what may be no command at all. */
  sendRaw(value: unknown): void {
    this.#socket.send(this.#format === 'msgpack' ? packr.pack(value) : JSON.stringify(value));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Sends a command and waits for the frame with its id. */
  async ask(command: object): Promise<Frame> {
    const id = this.send(command);
    return this.#first(`answer to ${JSON.stringify(command)}`, ({ frame }) => frame.id === id);
  }

  /** Waits until `count` frames of this message of the document have come, and returns the newest. */
  async arrived(message: string, count = 1, timeoutMs?: number): Promise<Frame> {
    const what = `${message} (${count} of it)`;
    await this.#await(what, () => this.#of(message).length >= count, timeoutMs);
    return this.#of(message)[count - 1] as Frame;
  }

  /** Waits for a frame of this message that holds these members. */
  async next(message: string, members: Frame): Promise<Frame> {
    const wanted = JSON.stringify(members);
    return this.#first(`${message} with ${wanted}`, candidate => {
      return candidate.message === message && Object.entries(members).every(([k, v]) => candidate.frame[k] === v);
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    await until(() => this.closed !== undefined);
  }

  #of(message: string): Frame[] {
    return this.frames.filter(candidate => candidate.message === message).map(({ frame }) => frame);
  }

  async #first(what: string, wanted: (candidate: { message: string; frame: Frame }) => boolean): Promise<Frame> {
    await this.#await(what, () => this.frames.some(wanted));
    return this.frames.find(wanted)?.frame as Frame;
  }

  async #await(what: string, condition: () => boolean, timeoutMs?: number): Promise<void> {
    try {
      await until(condition, timeoutMs);
    } catch (cause) {
      const last = this.frames.slice(-5).map(({ frame }) => JSON.stringify(frame).slice(0, 300));
      throw new Error(`no ${what} came; closed: ${this.closed}; last frames:\n${last.join('\n')}`, { cause });
    }
  }
}
