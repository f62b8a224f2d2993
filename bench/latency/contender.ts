/** What takes part in the latency benchmark: servers behind NATS. */

import { deliveryMark } from '../fanout/frames.js';
import { type Layout, symbolsOf, symbolsOfClient } from '../fanout/layout.js';
import type { GatewayThreads } from '../fanout/millrace.js';
import {
  clientsOf,
  NATS_SPEECH,
  natsClients,
  plainSpeech,
  type Speech,
  socketIoSpeech,
  spoken,
} from '../fanout/speech.js';
import { Channel } from '../harness/channel.js';
import type { Child, Children } from '../harness/children.js';
import type { Preparable } from '../harness/contenders.js';
import { startGateway } from '../harness/gateway.js';
import { GcLog } from '../harness/gc-log.js';
import { GORILLA, GoProgram, NATS_GO } from '../harness/go-program.js';
import { LineChannel } from '../harness/line-channel.js';
import type { NatsWebSocketServer } from '../harness/nats-server.js';
import { bunProgram, prepareBun } from '../harness/programs.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { ClientPlan, Dialect } from '../load/messages.js';
import type { DeliveryMark } from '../load/tally.js';
import type { OpenLoopPlan } from '../open-loop/messages.js';
import type { RelayAnswer, RelayFault, RelayStart } from '../peers/relay-messages.js';

export interface RunningServer {
  readonly child: Child;
  readonly port: number;
  readonly clients: readonly ClientPlan[];
  readonly delivery: DeliveryMark;
  readonly dialect?: Dialect | undefined;
  /** Frames that every client gets before anything is published; default: one where the server is stateful, else none. */
  readonly firstFrames?: number | undefined;
  /** True: a client gets a snapshot first. */
  readonly isStateful: boolean;
  /** Where `/metrics` is; undefined where there is none. */
  readonly adminPort: number | undefined;
  /** The pauses of its garbage collectors, where they are written. */
  readonly gcLog?: GcLog | undefined;
}

export interface LatencyContender extends Preparable {
  readonly form: OpenLoopPlan['form'];
  /** Starts a fresh process that serves the layout's clients from the NATS server. */
  start(children: Children, nats: NatsWebSocketServer, layout: Layout): Promise<RunningServer>;
}

/** All of them send deltas of quotes, and nothing else that looks like one. */
export const DELIVERY = deliveryMark('price', 'json');
const PLAIN = plainSpeech('price', 'json');
const PROGRAMS = new URL('../peers/', import.meta.url);

/** Millrace with so many threads; `env` beyond the benchmark's own settings. */
export function millrace(threads: GatewayThreads, env: Readonly<Record<string, string>> = {}): LatencyContender {
  return {
    name: 'millrace',
    form: 'quotes',
    start: async (children, nats, layout) => {
      const secret = newSecret();
      const gateway = await startGateway(children, {
        FEED: 'nats',
        NATS_URL: nats.url,
        AUTH_JWT_SECRET: secret,
        WORKERS: threads.workers,
        ENCODERS: threads.encoders,
        SYMBOLS: symbolsOf(layout).join(','),
        ...env,
      });
      const tokens = await mintTokens(secret, layout.clients);
      return {
        ...gateway,
        clients: tokens.map((token, client) => ({
          path: `/ws/quotes?symbols=${symbolsOfClient(layout, client).join(',')}&class=realtime&timestamps=1&token=${token}`,
        })),
        delivery: DELIVERY,
        isStateful: true,
      };
    },
  };
}

/** A program for Node under peers/ that hands NATS messages on. */
export function relay(name: string, fault?: RelayFault): LatencyContender {
  return relayOf(name, PLAIN, children => new Channel(children.fork(name, serverOf(name))), { fault });
}

/** Needs `bun` on PATH or in node_modules/.bin. */
const bunRelay: LatencyContender = {
  ...relayOf('bun-relay', PLAIN, children => {
    return new Channel(children.fork('bun-relay', serverOf('bun-relay'), bunProgram()));
  }),
  prepare: prepareBun,
};

/** Go and gorilla/websocket behind nats.go; built once a run. */
function gorillaRelay(): LatencyContender {
  const program = new GoProgram(new URL('gorilla-relay/', PROGRAMS), [GORILLA, NATS_GO]);
  const started = relayOf('gorilla-relay', PLAIN, children => {
    return new LineChannel(children.spawn('gorilla-relay', program.path, [], {}, 'pipe'));
  });
  return { ...started, prepare: signal => program.build(signal) };
}

/** nats-server's own WebSocket: no process between. */
const natsWebSocket: LatencyContender = {
  name: 'nats-websocket',
  form: 'frames',
  start: async (_children, nats, layout) => ({
    child: nats.child,
    port: nats.webSocketPort,
    clients: natsClients(layout, symbol => `md.quotes.${symbol}`),
    delivery: DELIVERY,
    ...NATS_SPEECH,
    isStateful: false,
    adminPort: undefined,
  }),
};

/** Millrace with its garbage collectors watched, which costs it a line of text a pause. */
function watchedMillrace(threads: GatewayThreads): LatencyContender {
  const gcLog = new GcLog();
  return {
    ...millrace(threads),
    prepare: async () => () => gcLog.remove(),
    start: async (children, nats, layout) => {
      return { ...(await millrace(threads, gcLog.env).start(children, nats, layout)), gcLog };
    },
  };
}

/** Every contender, Millrace first. */
export function latencyContenders(threads: GatewayThreads): LatencyContender[] {
  const socketIo = relayOf('socket.io-relay', socketIoSpeech('json'), children => {
    return new Channel(children.fork('socket.io-relay', serverOf('socket.io-relay')));
  });
  return [
    watchedMillrace(threads),
    relay('bare-relay'),
    natsWebSocket,
    bunRelay,
    gorillaRelay(),
    relay('ws-relay'),
    socketIo,
  ];
}

type RelayChannel = Pick<Channel<RelayStart, RelayAnswer>, 'ask' | 'child'>;

function relayOf(
  name: string,
  speech: Speech,
  open: (children: Children) => RelayChannel,
  more: Pick<RelayStart, 'fault'> = {},
): LatencyContender {
  return {
    name,
    form: 'frames',
    start: async (children, nats, layout) => {
      const channel = open(children);
      const start: RelayStart = { type: 'start', natsUrl: nats.url, symbols: symbolsOf(layout), ...more };
      const { port } = await channel.ask(start, 'started');
      const clients = clientsOf(layout, speech);
      return { child: channel.child, port, clients, ...spoken(speech), isStateful: false, adminPort: undefined };
    },
  };
}

function serverOf(name: string): URL {
  return new URL(`${name}/server.ts`, PROGRAMS);
}
