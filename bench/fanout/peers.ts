/** The peers as contenders. Their programs and settings are under bench/peers. */
import { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import { GORILLA, GoProgram } from '../harness/go-program.js';
import { LineChannel } from '../harness/line-channel.js';
import { startNatsWebSocket } from '../harness/nats-server.js';
import { bunProgram, prepareBun } from '../harness/programs.js';
import type { Contender, RoundPlan, RunningContender } from './contender.js';
import { deliveryMark } from './frames.js';
import { subjectOf, symbolsOf } from './layout.js';
import type { NatsStart, PaceAnswer, PaceCommand, PeerStart } from './messages.js';
import { clientsOf, NATS_SPEECH, natsClients, plainSpeech, type Speech, socketIoSpeech, spoken } from './speech.js';

type PeerChannel = Pick<Channel<PaceCommand<PeerStart>, PaceAnswer>, 'ask' | 'child'>;

const PROGRAMS = new URL('../peers/', import.meta.url);

export const bareUws = nodePeer('bare-uws', plain);
const wsPeer = nodePeer('ws', plain);
const socketIo = nodePeer('socket.io', ({ format }) => socketIoSpeech(format));

/** Needs `bun` on PATH or in node_modules/.bin. */
const bun: Contender = {
  name: 'bun',
  prepare: prepareBun,
  start: (children, plan) => {
    const child = children.fork('bun', new URL('bun/server.ts', PROGRAMS), bunProgram());
    return startPeer(plan, new Channel<PaceCommand<PeerStart>, PaceAnswer>(child), plain(plan));
  },
};

/** nats-server's own WebSocket, published to over NATS's plain protocol. */
const natsWebSocket: Contender = { name: 'nats-websocket', start: startNats };

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
    clients: clientsOf(plan.layout, speech),
    isStateful: false,
    progressPorts: [progressPort],
    processes: [{ role: 'server', child: channel.child }],
    publisher: channel,
    ...spoken(speech),
  };
}

async function startNats(children: Children, plan: RoundPlan): Promise<RunningContender> {
  const { layout, shape, format, pace, frames } = plan;
  const nats = await startNatsWebSocket(children);
  const child: Child = children.fork('publisher', new URL('./publisher.ts', import.meta.url));
  const publisher = new Channel<PaceCommand<NatsStart>, PaceAnswer>(child);
  const start: NatsStart = { type: 'start', natsUrl: nats.url, layout, shape, format, pace, frames };
  const { progressPort } = await publisher.ask(start, 'started');
  return {
    port: nats.webSocketPort,
    clients: natsClients(layout, symbol => subjectOf(symbol, shape)),
    delivery: deliveryMark(shape, format),
    ...NATS_SPEECH,
    isStateful: false,
    progressPorts: [progressPort],
    processes: [
      { role: 'server', child: nats.child },
      { role: 'publisher', child },
    ],
    publisher,
  };
}

/** Go and gorilla/websocket; built once a run. */
function gorilla(): Contender {
  const program = new GoProgram(new URL('gorilla/', PROGRAMS), [GORILLA]);
  return {
    name: 'gorilla',
    prepare: signal => program.build(signal),
    start: (children, plan) => {
      const child = children.spawn('gorilla', program.path, [], {}, 'pipe');
      const channel = new LineChannel<PaceCommand<PeerStart>, PaceAnswer>(child);
      return startPeer(plan, channel, plain(plan), { symbols: symbolsOf(plan.layout) });
    },
  };
}

/** The frames are Millrace's, and nothing else is sent. */
function plain({ shape, format }: RoundPlan): Speech {
  return plainSpeech(shape, format);
}

/** Every peer, in the order of the reports. */
export function allPeers(): Contender[] {
  return [bareUws, natsWebSocket, bun, gorilla(), wsPeer, socketIo];
}
