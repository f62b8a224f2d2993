/** Clients that read all they get and keep nothing: FIX sessions and WebSockets with the same books. */
import { connect, type Socket } from 'node:net';
import WebSocket from 'ws';
import { Outgoing } from '../../src/fix/session/outgoing.js';
import { MsgType, Tag } from '../../src/fix/wire/tags.js';

export interface ClientsPlan {
  readonly port: number;
  readonly token: string;
  readonly clients: number;
  readonly symbols: readonly string[];
  /** Levels per side; 1: the best one. */
  readonly depth: number;
}

export interface BenchClients {
  /** Bytes received so far. */
  bytes(): number;
  end(): void;
}

const HEARTBEAT_SECONDS = 60;
const HEARTBEAT_MS = 20_000;
const OPENING_AT_ONCE = 50;
const LOGON = Buffer.from('\x0135=A\x01');

/** Resolves once every client has its first document. */
export async function openFix(plan: ClientsPlan): Promise<BenchClients> {
  const sockets: Socket[] = [];
  const sessions: Outgoing[] = [];
  let bytes = 0;
  const open = async (client: number): Promise<void> => {
    const socket = connect(plan.port, '127.0.0.1');
    sockets.push(socket);
    const session = new Outgoing(`C${client}`, {
      nowMs: () => performance.now(),
      wallMicros: () => (performance.timeOrigin + performance.now()) * 1000,
      send: message => socket.write(Buffer.from(message)),
    });
    session.targetCompId = 'MILLRACE';
    sessions.push(session);
    await new Promise<void>((resolve, reject) => {
      let isLoggedOn = false;
      socket.once('connect', () => logOn(session, plan.token));
      socket.once('error', reject);
      socket.on('data', chunk => {
        bytes += chunk.length;
        if (isLoggedOn) resolve();
        else if (chunk.includes(LOGON)) {
          isLoggedOn = true;
          request(session, plan);
        } else reject(new Error(`not logged on: ${chunk.toString('latin1').replaceAll('\x01', '|')}`));
      });
    });
  };
  await inTurns(plan.clients, open);
  const timer = setInterval(() => {
    for (const session of sessions) session.send(MsgType.heartbeat, []);
  }, HEARTBEAT_MS);
  return {
    bytes: () => bytes,
    end: () => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The same books over WebSocket. */
export async function openWebSockets(plan: ClientsPlan, format: string): Promise<BenchClients> {
  const sockets: WebSocket[] = [];
  let bytes = 0;
  const topics = plan.depth === 1 ? { stream: 'orderbook' } : { stream: 'depth', depth: plan.depth };
  const open = async (): Promise<void> => {
    const socket = new WebSocket(`ws://127.0.0.1:${plan.port}/ws?token=${plan.token}&format=${format}`);
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => socket.send(JSON.stringify({ action: 'subscribe', ...topics, symbols: plan.symbols })));
      socket.once('error', reject);
      socket.on('message', data => {
        bytes += (data as Buffer).length;
        resolve();
      });
    });
  };
  await inTurns(plan.clients, open);
  return {
    bytes: () => bytes,
    end: () => {
      for (const socket of sockets) socket.terminate();
    },
  };
}

async function inTurns(count: number, open: (client: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += OPENING_AT_ONCE) {
    const size = Math.min(OPENING_AT_ONCE, count - from);
    await Promise.all(Array.from({ length: size }, (_, i) => open(from + i)));
  }
}

function logOn(session: Outgoing, token: string): void {
  session.send(MsgType.logon, [
    [Tag.encryptMethod, 0],
    [Tag.heartBtInt, HEARTBEAT_SECONDS],
    [Tag.resetSeqNumFlag, 'Y'],
    [Tag.password, token],
  ]);
}

function request(session: Outgoing, { symbols, depth }: ClientsPlan): void {
  const out = session.begin(MsgType.marketDataRequest);
  out.field(Tag.mdReqId, 'bench');
  out.field(Tag.subscriptionRequestType, '1');
  out.integer(Tag.marketDepth, depth);
  out.field(Tag.mdUpdateType, '1');
  out.integer(Tag.noMdEntryTypes, 2);
  out.field(Tag.mdEntryType, '0');
  out.field(Tag.mdEntryType, '1');
  out.integer(Tag.noRelatedSym, symbols.length);
  for (const symbol of symbols) out.utf8(Tag.symbol, symbol);
  session.end();
}
