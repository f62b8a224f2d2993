/** One connection of `millrace tail`: subscribes, maintains the documents, prints, and repairs broken chains. */
import type { IncomingMessage } from 'node:http';
import { Packr } from 'msgpackr';
import { type RawData, WebSocket } from 'ws';
import { type FrameOutcome, type ServerFrame, TopicChains } from '../client/chain.js';
import { withoutSecrets } from '../config/url-text.js';
import { parseExact, stringifyExact } from '../protocol/exact-json.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import type { StreamPosition } from '../protocol/stream-position.js';
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, isStateStream, isStream, type Stream } from '../protocol/topics.js';
import type { Format, RateClass } from '../protocol/view-options.js';
import { CommandFailure, reasonOf } from './failure.js';
import { describeFrame, describeLoss, describeStale } from './frame-line.js';
import * as output from './output.js';

/** One topic named on the command line. */
export interface TopicArgument {
  readonly stream: Stream;
  /** `*`: all symbols; for orders, your own. */
  readonly symbol: string;
}

export interface TailOptions {
  readonly url: string;
  readonly token?: string;
  readonly apiKey?: string;
  readonly format: Format;
  readonly class?: RateClass;
  readonly depth?: number;
  readonly count?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long to wait for the gateway to answer our close. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Most bytes read of a refusal's body. */
const BODY_BYTES_MAX = 16_384;
const NORMAL_CLOSE = 1000;

export class TailSession {
  readonly #topics: readonly TopicArgument[];
  readonly #options: TailOptions;
  readonly #chains = new TopicChains();
  readonly #packr = new Packr({ useRecords: false });
  /** Reads exactly: an id beyond 2^53 is printed with all its digits. */
  readonly #reader = new MsgpackReader();
  readonly #pending = new Set<string>();
  readonly #socket: WebSocket;
  #messages = 0;
  #accepted = 0;
  #failed = false;
  #ending = false;

  /** Opens the connection. */
  constructor(topics: readonly TopicArgument[], options: TailOptions) {
    this.#topics = topics;
    this.#options = options;
    this.#socket = new WebSocket(connectUrl(options), {
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      perMessageDeflate: false,
    });
  }

  /**
   * Resolves with the exit code once the connection is closed: 0 if we ended it, 1 if the gateway did or refused every
   * topic.
   * @throws {CommandFailure} if the gateway cannot be reached or refuses the connection.
   */
  async run(): Promise<number> {
    const interrupt = (): void => this.#end();
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    try {
      const closed = await this.#opened();
      const code = await closed.code;
      return this.#failed || !(this.#ending || code === NORMAL_CLOSE) ? 1 : 0;
    } finally {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    }
  }

  #opened(): Promise<{ readonly code: Promise<number> }> {
    const where = shownUrl(this.#options);
    return new Promise((resolve, reject) => {
      // The listeners must be set before the event returns: a frame may follow the handshake in the same packet.
      this.#socket.once('open', () => {
        resolve({ code: this.#closed() });
        this.#subscribe();
      });
      this.#socket.once('unexpected-response', (_request, response) => {
        void refusalOf(response).then(reason => {
          reject(new CommandFailure(`cannot connect to ${where}: ${reason}`));
          this.#socket.terminate();
        });
      });
      this.#socket.once('error', cause => {
        // An interrupt while connecting also raises an error.
        if (this.#ending) resolve({ code: Promise.resolve(NORMAL_CLOSE) });
        else reject(new CommandFailure(`cannot connect to ${where}: ${reasonOf(cause)}`, { cause }));
      });
    });
  }

  #closed(): Promise<number> {
    return new Promise(resolve => {
      this.#socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
      this.#socket.on('error', error => note(`connection error: ${error.message}`));
      this.#socket.once('close', (code, reason) => {
        if (!this.#ending) note(`closed by the gateway: ${code} ${reason.toString()}`.trimEnd());
        resolve(code);
      });
    });
  }

  #subscribe(): void {
    this.#topics.forEach(({ stream, symbol }, at) => {
      const id = String(at + 1);
      this.#pending.add(id);
      this.#send({
        action: 'subscribe',
        stream,
        ...(symbol === ALL_SYMBOLS ? {} : { symbol }),
        ...(stream === 'depth' && this.#options.depth !== undefined ? { depth: this.#options.depth } : {}),
        ...(isStateStream(stream) && this.#options.class !== undefined ? { class: this.#options.class } : {}),
        id,
      });
    });
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#ending) return;
    let decoded: unknown;
    try {
      const bytes = bytesOf(data);
      decoded = isBinary ? this.#reader.read(bytes, 0, bytes.length) : parseExact(bytes.toString('utf8'));
    } catch (error) {
      note(`MALFORMED FRAME: ${reasonOf(error)}`);
      return;
    }
    for (const frame of Array.isArray(decoded) ? decoded : [decoded]) {
      if (typeof frame === 'object' && frame !== null) this.#take(frame);
    }
  }

  #take(frame: ServerFrame): void {
    const outcome = this.#chains.feed(frame);
    if (outcome.kind === 'control') {
      this.#control(frame);
      return;
    }
    this.#report(outcome, frame);
    if (!isData(frame) || outcome.kind === 'ignored' || outcome.kind === 'malformed') return;
    output.say(`${clock()} ${describeFrame(frame, this.#chains.documents)}`);
    this.#messages++;
    if (this.#messages === this.#options.count) this.#end();
  }

  #control(frame: ServerFrame): void {
    const { type, id } = frame;
    if (type === 'heartbeat' || type === 'stale' || type === 'pong') return;
    const { code, message, ...rest } = frame;
    if (type === 'error') note(`error ${code}: ${message}`);
    else if (type === 'warning') note(`warning ${code}: ${message}`);
    else if (type === 'lagging') note(`LAGGING: prices of ${frame.topics} topics are up to ${frame.age_ms} ms old`);
    else if (type === 'fresh') note('FRESH again: prices arrive in time');
    else note(stringifyExact(code === undefined && message === undefined ? rest : frame));
    if (typeof id !== 'string' || !this.#pending.delete(id)) return;
    if (type === 'subscribed') this.#accepted++;
    if (this.#pending.size > 0 || this.#accepted > 0) return;
    note('the gateway refused every topic');
    this.#failed = true;
    this.#end();
  }

  /** Prints clearly what is wrong with a chain, and asks for a snapshot if that repairs it. */
  #report(outcome: FrameOutcome, { reason }: ServerFrame): void {
    switch (outcome.kind) {
      case 'gap':
        note(`GAP ${outcome.topics.join(' ')}: ${describeLoss(outcome.from, outcome.to, reason)}`);
        return;
      case 'stale':
        note(describeStale(outcome.topics[0], outcome.staleness));
        return;
      case 'snapshot':
        for (const topic of outcome.whole ?? []) note(`WHOLE again ${topic}`);
        return;
      case 'whole_missed':
        note(`SNAPSHOT MISSED ${outcome.topic}: the gateway has it whole again`);
        break;
      case 'malformed':
        note(`MALFORMED FRAME: ${outcome.reason}`);
        return;
      case 'broken':
        note(`CHAIN BROKEN ${outcome.topic}: ${difference(outcome.expected, outcome.got)}`);
        if (outcome.staleness !== undefined) note(describeStale(outcome.topic, outcome.staleness));
        break;
      case 'checksum_mismatch':
        note(`CHECKSUM WRONG ${outcome.topic}: expected ${outcome.expected}, got ${outcome.got}`);
        break;
      case 'patch_failed':
        note(`PATCH FAILED ${outcome.topic}: ${outcome.reason}`);
        break;
      default:
        return;
    }
    const [stream, symbol] = topicParts(outcome.topic);
    if (isStream(stream) && isStateStream(stream)) this.#send({ action: 'resync', stream, symbol });
  }

  #send(command: Readonly<Record<string, unknown>>): void {
    this.#socket.send(this.#options.format === 'msgpack' ? this.#packr.pack(command) : JSON.stringify(command));
  }

  #end(): void {
    const again = this.#ending;
    this.#ending = true;
    if (again || this.#socket.readyState === WebSocket.CONNECTING) {
      this.#socket.terminate();
      return;
    }
    this.#socket.close(NORMAL_CLOSE);
    setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  }
}

/** False for frames that only inform about topics. */
function isData({ type }: ServerFrame): boolean {
  return type !== 'gap' && type !== 'heartbeat' && type !== 'stale';
}

function connectUrl(options: TailOptions): URL {
  const url = gatewayUrl(options);
  if (options.token !== undefined && options.token !== '') url.searchParams.set('token', options.token);
  else if (options.apiKey !== undefined && options.apiKey !== '') url.searchParams.set('api_key', options.apiKey);
  url.searchParams.set('format', options.format);
  return url;
}

/** The URL without its query, which contains the token. */
function shownUrl(options: TailOptions): string {
  const url = gatewayUrl(options);
  return `${url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin}${url.pathname}`;
}

function gatewayUrl(options: TailOptions): URL {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url?.protocol !== 'ws:' && url?.protocol !== 'wss:') {
    throw new CommandFailure(`--url ${withoutSecrets(options.url)}: must be a ws:// or wss:// URL`);
  }
  if (!/(^|\/)ws(\/|$)/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/ws`;
  return url;
}

/** `HTTP 401 unauthorized: token expired`, from the status and the JSON body. */
async function refusalOf(response: IncomingMessage): Promise<string> {
  let body = '';
  try {
    for await (const part of response.setEncoding('utf8')) {
      body += part;
      if (body.length > BODY_BYTES_MAX) break;
    }
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown } };
    if (error !== undefined) return `HTTP ${response.statusCode} ${error.code}: ${error.message}`;
  } catch {
    // The server need not be a gateway; its status is enough.
  }
  return `HTTP ${response.statusCode} ${response.statusMessage ?? ''} ${body.slice(0, 200)}`.trimEnd();
}

function difference(expected: StreamPosition | undefined, got: StreamPosition): string {
  if (expected === undefined) return `expected a snapshot first, got prev_seq ${got.seq}`;
  if (expected.epoch !== got.epoch) return `expected epoch ${expected.epoch}, got ${got.epoch}`;
  return `expected prev_seq ${expected.seq}, got ${got.seq}`;
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}

function clock(): string {
  return new Date().toISOString().slice(11, 23);
}

function note(text: string): void {
  output.note(`${clock()} ${text}`);
}
