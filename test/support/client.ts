/** A WebSocket client that remembers what it got, for tests. */
import { Packr } from 'msgpackr';
import WebSocket from 'ws';
import { PATIENCE_MS, until } from './until.js';

export type Frame = Record<string, unknown>;

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** An answer instead of the upgrade. */
export interface Refused {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: { readonly error?: { readonly code?: string; readonly message?: string } };
}

export class TestClient {
  /** All but heartbeats, the messages of arrays one by one. */
  readonly frames: Frame[] = [];
  readonly heartbeats: Frame[] = [];
  /** How many messages each array had. */
  readonly batches: number[] = [];
  readonly socket: WebSocket;
  /** Messages that came as text and as binary. */
  readonly received = { text: 0, binary: 0 };
  /** Set once the connection is closed. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #isMsgpack: boolean;

  private constructor(socket: WebSocket, isMsgpack: boolean) {
    this.socket = socket;
    this.#isMsgpack = isMsgpack;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.received[isBinary ? 'binary' : 'text']++;
      const value: unknown = isBinary ? packr.unpack(data) : JSON.parse(data.toString());
      if (Array.isArray(value)) this.batches.push(value.length);
      for (const frame of (Array.isArray(value) ? value : [value]) as Frame[]) {
        if (frame.type === 'heartbeat') this.heartbeats.push(frame);
        else this.frames.push(frame);
      }
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on('error', () => {
      // Followed by 'close', which tests look at.
    });
  }

  /** Connects; rejects with the answer (as text) when the upgrade is refused. */
  static async connect(
    url: string,
    options: WebSocket.ClientOptions = {},
    protocols: string[] = [],
  ): Promise<TestClient> {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    const isMsgpack = url.includes('format=msgpack') || protocols.includes('millrace.msgpack');
    // Before 'open', so that no frame that comes with the upgrade is missed.
    const client = new TestClient(socket, isMsgpack);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`refused with ${response.statusCode}: ${url}`));
        socket.terminate();
      });
      socket.once('error', reject);
    });
    return client;
  }

  /** Sends a command in the connection's format. */
  send(command: object): void {
    this.socket.send(this.#isMsgpack ? packr.pack(command) : JSON.stringify(command));
  }

  /** Waits for the first frame that satisfies the condition. */
  async next(what: string, wanted: (frame: Frame) => boolean, timeoutMs = PATIENCE_MS): Promise<Frame> {
    await this.#await(what, () => this.frames.some(wanted), timeoutMs);
    return this.frames.find(wanted) as Frame;
  }

  /** Waits until that many frames of the type have come, and returns all of them. */
  async arrived(type: string, count = 1, timeoutMs = PATIENCE_MS): Promise<Frame[]> {
    await this.#await(`${type} (${count} of it)`, () => this.ofType(type).length >= count, timeoutMs);
    return this.ofType(type);
  }

  async #await(what: string, condition: () => boolean, timeoutMs: number): Promise<void> {
    try {
      await until(condition, timeoutMs);
    } catch (cause) {
      const seen = this.frames.slice(-5).map(frame => JSON.stringify(frame).slice(0, 300));
      throw new Error(`no ${what} came; closed: ${JSON.stringify(this.closed)}; last frames:\n${seen.join('\n')}`, {
        cause,
      });
    }
  }

  ofType(type: string): Frame[] {
    return this.frames.filter(frame => frame.type === type);
  }

  async close(): Promise<void> {
    if (this.closed !== undefined) return;
    this.socket.close();
    await until(() => this.closed !== undefined);
  }
}

/** Attempts an upgrade that should be refused. @throws when it is accepted */
export function refusedUpgrade(url: string, options: WebSocket.ClientOptions = {}): Promise<Refused> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    socket.once('open', () => {
      socket.terminate();
      reject(new Error(`accepted: ${url}`));
    });
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', chunk => {
        text += chunk;
      });
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: JSON.parse(text) as Refused['body'] });
      });
    });
    socket.once('error', reject);
  });
}
