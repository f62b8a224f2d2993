/** The peers as contenders. Their programs and settings are under bench/peers. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Packr } from 'msgpackr';
import { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import { LineChannel } from '../harness/line-channel.js';
import { startNatsWebSocket } from '../harness/nats-server.js';
import { MissingPrerequisite } from '../harness/prerequisite.js';
import { findProgram } from '../harness/programs.js';
import type { ClientPlan, Dialect } from '../load/messages.js';
import type { DeliveryMark } from '../load/tally.js';
import type { Contender, RoundPlan, RunningContender } from './contender.js';
import { deliveryMark } from './frames.js';
import { subjectOf, symbolsOf, symbolsOfClient } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand, PeerStart } from './messages.js';

type PeerChannel = Pick<Channel<PaceCommand<PeerStart>, PaceAnswer>, 'ask' | 'child'>;

/** How the clients of a peer speak to it. */
interface Speech {
  readonly delivery: DeliveryMark;
  readonly path: string;
  readonly dialect?: Dialect;
  readonly firstFrames?: number;
  readonly command?: string;
}

const PROGRAMS = new URL('../peers/', import.meta.url);

export const bareUws = nodePeer('bare-uws', plain);
export const wsPeer = nodePeer('ws', plain);
export const socketIo = nodePeer('socket.io', socketIoSpeech);

/** Needs `bun` on PATH or in node_modules/.bin. */
export const bun: Contender = {
  name: 'bun',
  prepare: async () => {
    bunProgram();
    return () => undefined;
  },
  start: (children, plan) => {
    const child = children.fork('bun', new URL('bun/server.ts', PROGRAMS), bunProgram());
    return startPeer(plan, new Channel<PaceCommand<PeerStart>, PaceAnswer>(child), plain(plan));
  },
};

/** nats-server's own WebSocket, published to over NATS's plain protocol. */
export const natsWebSocket: Contender = { name: 'nats-websocket', start: startNats };

function nodePeer(name: string, speech: (plan: RoundPlan) => Speech): Contender {
  return {
    name,
    start: (children, plan) => {
      const child = children.fork(name, new URL(`${name}/server.ts`, PROGRAMS));
      return startPeer(plan, new Channel<PaceCommand<PeerStart>, PaceAnswer>(child), speech(plan));
    },
  };
}

async function startPeer(
  plan: RoundPlan,
  channel: PeerChannel,
  speech: Speech,
  more: object = {},
): Promise<RunningContender> {
  const { port, progressPort } = await channel.ask({ type: 'start', ...plan, ...more }, 'started');
  return {
    port,
    clients: clientsOf(plan, speech),
    isStateful: false,
    progressPort,
    processes: [{ role: 'server', child: channel.child }],
    publisher: channel,
    ...spoken(speech),
  };
}

function clientsOf({ layout }: RoundPlan, { path, command }: Speech): ClientPlan[] {
  return Array.from({ length: layout.clients }, (_, client) => ({
    path: `${path}symbols=${symbolsOfClient(layout, client).join(',')}`,
    ...(command === undefined ? {} : { command }),
  }));
}

function spoken({ delivery, dialect, firstFrames }: Speech) {
  return {
    delivery,
    ...(dialect === undefined ? {} : { dialect }),
    ...(firstFrames === undefined ? {} : { firstFrames }),
  };
}

/** The frames are Millrace's, and nothing else is sent. */
function plain({ shape, format }: RoundPlan): Speech {
  return { delivery: deliveryMark(shape, format), path: '/ws/quotes?' };
}

/** Engine.IO's `0{…}` and the answer to the command come first; an event is `42[…]`, in MessagePack `{type: 2, …}`. */
function socketIoSpeech({ format }: RoundPlan): Speech {
  const path = '/socket.io/?EIO=4&transport=websocket&';
  if (format === 'json') {
    const delivery = { offset: 1, byte: '2'.charCodeAt(0) };
    return { delivery, path, dialect: 'socket.io', firstFrames: 2, command: '40' };
  }
  const [connect, event] = [0, 2];
  const packr = new Packr({ useRecords: false, variableMapSize: true });
  const command = packr.pack({ type: connect, nsp: '/' });
  const delivery = { offset: packr.pack({ type: event }).length - 1, byte: event };
  return { delivery, path, dialect: 'socket.io-msgpack', firstFrames: 2, command: command.toString('latin1') };
}

async function startNats(children: Children, plan: RoundPlan): Promise<RunningContender> {
  const { layout, shape, format, pace, frames } = plan;
  const nats = await startNatsWebSocket(children);
  const child: Child = children.fork('publisher', new URL('./publisher.ts', import.meta.url));
  const publisher = new Channel<PaceCommand<NatsStart>, PaceAnswer>(child);
  const start: NatsStart = { type: 'start', natsUrl: nats.url, layout, shape, format, pace, frames };
  const { progressPort } = await publisher.ask(start, 'started');
  const subscriptions = (client: number): string =>
    symbolsOfClient(layout, client)
      .map((symbol, index) => `SUB ${subjectOf(symbol, shape)} ${index + 1}\r\n`)
      .join('');
  return {
    port: nats.webSocketPort,
    clients: Array.from({ length: layout.clients }, (_, client) => ({
      path: '/',
      command: `CONNECT {"verbose":false,"pedantic":false,"protocol":1}\r\n${subscriptions(client)}PING\r\n`,
    })),
    // Told by the protocol, not by a mark.
    delivery: deliveryMark(shape, format),
    dialect: 'nats',
    // INFO and PONG.
    firstFrames: 2,
    isStateful: false,
    progressPort,
    processes: [
      { role: 'server', child: nats.child },
      { role: 'publisher', child },
    ],
    publisher,
  };
}

function bunProgram(): string {
  const program = findProgram('bun');
  if (program === undefined) throw new MissingPrerequisite('no `bun` on PATH or in node_modules/.bin');
  return program;
}

/** Debian's place for the sources of Go packages. */
const DEBIAN_GOPATH = '/usr/share/gocode';
const GORILLA = 'src/github.com/gorilla/websocket';

/** Go and gorilla/websocket; built once a run. */
export function gorilla(): Contender {
  let program = '';
  return {
    name: 'gorilla',
    prepare: async signal => {
      const go = findProgram('go');
      if (go === undefined) throw new MissingPrerequisite('no `go` on PATH (Debian: golang-go)');
      if (!existsSync(join(DEBIAN_GOPATH, GORILLA))) {
        throw new MissingPrerequisite(
          `no ${join(DEBIAN_GOPATH, GORILLA)} (Debian: golang-github-gorilla-websocket-dev)`,
        );
      }
      const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-gorilla-'));
      program = join(folder, 'gorilla-peer');
      const env = { ...process.env, GO111MODULE: 'off', GOPATH: DEBIAN_GOPATH, GOFLAGS: '' };
      const cwd = fileURLToPath(new URL('gorilla/', PROGRAMS));
      const remove = (): void => rmSync(folder, { recursive: true, force: true });
      try {
        await promisify(execFile)(go, ['build', '-o', program, '.'], { cwd, env, signal });
      } catch (cause) {
        remove();
        throw signal.aborted ? cause : new MissingPrerequisite(`it could not be built: ${String(cause)}`, { cause });
      }
      return remove;
    },
    start: (children, plan) => {
      const child = children.spawn('gorilla', program, [], {}, 'pipe');
      const channel = new LineChannel<PaceCommand<PeerStart>, PaceAnswer>(child);
      return startPeer(plan, channel, plain(plan), { symbols: symbolsOf(plan.layout) });
    },
  };
}

/** Every peer, in the order of the reports. */
export function allPeers(): Contender[] {
  return [bareUws, natsWebSocket, bun, gorilla(), wsPeer, socketIo];
}
