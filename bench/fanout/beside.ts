/**
 * Contender: bare uWS while a whole Millrace pipeline works beside it. That pipeline takes in the same updates at the same
 * moments and encodes them, but has one client, so that what it costs is the hub, the encoder, nats-server and the
 * publisher. Where cores are few this tells what sharing them costs from what Millrace's fan-out itself costs.
 */
import type { Children } from '../harness/children.js';
import { LoadSocket } from '../load/load-socket.js';
import { Tally } from '../load/tally.js';
import type { Contender, RoundPlan, RunningContender } from './contender.js';
import { oneClientOf } from './layout.js';
import type { PaceAnswer, PaceCommand } from './messages.js';
import { type GatewayThreads, startPipeline } from './millrace.js';
import { bareUws } from './peers.js';

const READ_BUFFER_BYTES = 64 * 1024;

/** Bare uWS beside a pipeline with so many threads. */
export function bareUwsBeside(threads: GatewayThreads): Contender {
  return { name: 'bare-uws-beside', start: (children, plan) => startBeside(children, plan, threads) };
}

async function startBeside(children: Children, plan: RoundPlan, threads: GatewayThreads): Promise<RunningContender> {
  // Paced by what the clients of bare uWS receive: the pace stays that of the whole layout.
  const pipeline = await startPipeline(children, { ...plan, layout: oneClientOf(plan.layout) }, threads);
  let lost: string | undefined;
  await keepOneClient(pipeline, reason => {
    lost = reason;
  });
  const bare = await bareUws.start(children, plan);
  return {
    ...bare,
    progressPorts: [...bare.progressPorts, ...pipeline.progressPorts],
    processes: [
      ...bare.processes,
      ...pipeline.processes.map(
        ({ role, child }) => ({ role: role === 'server' ? 'neighbour' : role, child }) as const,
      ),
    ],
    publisher: {
      ask: async <T extends PaceAnswer['type']>(command: PaceCommand<never>, wanted: T) => {
        if (lost !== undefined) throw new Error(`the pipeline beside lost its client: ${lost}`);
        const [answer] = await Promise.all([
          bare.publisher.ask(command, wanted),
          pipeline.publisher.ask(command, wanted),
        ]);
        return answer;
      },
    },
  };
}

/**
 * One client that wants every symbol, so that all is encoded. It counts what it gets and answers pings.
 * @param onLost it was closed: with nobody subscribed the pipeline encodes nothing more
 */
async function keepOneClient(
  { port, clients: [plan], delivery }: RunningContender,
  onLost: (reason: string) => void,
): Promise<void> {
  if (plan === undefined) throw new Error('a pipeline without a client');
  const client = new LoadSocket(0, plan, {
    host: '127.0.0.1',
    port,
    tally: new Tally(delivery),
    inspector: undefined,
    buffer: new Uint8Array(READ_BUFFER_BYTES),
    lost: (_, reason) => onLost(reason),
  });
  await client.open();
}
