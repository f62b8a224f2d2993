/**
 * Contender: bare uWS while a whole Millrace pipeline works beside it. That pipeline takes in the same updates at the same
 * moments and encodes them, but has one client, so that what it costs is the hub, the encoder, nats-server and the
 * publisher. Where cores are few this tells what sharing them costs from what Millrace's fan-out itself costs.
 */
import { request } from 'node:http';
import type { Children } from '../harness/children.js';
import type { ClientPlan } from '../load/messages.js';
import type { Contender, RoundPlan, RunningContender } from './contender.js';
import type { Layout } from './layout.js';
import type { PaceAnswer, PaceCommand } from './messages.js';
import { type GatewayThreads, startPipeline } from './millrace.js';
import { bareUws } from './peers.js';

/** Bare uWS beside a pipeline with so many threads. */
export function bareUwsBeside(threads: GatewayThreads): Contender {
  return { name: 'bare-uws-beside', start: (children, plan) => startBeside(children, plan, threads) };
}

async function startBeside(children: Children, plan: RoundPlan, threads: GatewayThreads): Promise<RunningContender> {
  const { universe } = plan.layout;
  const single: Layout = { clients: 1, symbolsPerClient: universe, universe };
  // Paced by what the clients of bare uWS receive: the pace stays that of the whole layout.
  const pipeline = await startPipeline(children, { ...plan, layout: single }, threads);
  await keepOneClient(pipeline);
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
        const [answer] = await Promise.all([
          bare.publisher.ask(command, wanted),
          pipeline.publisher.ask(command, wanted),
        ]);
        return answer;
      },
    },
  };
}

/** One client that wants every symbol, so that all is encoded. Its bytes are thrown away unread. */
function keepOneClient({ port, clients }: { readonly port: number; readonly clients: readonly ClientPlan[] }) {
  return new Promise<void>((resolve, reject) => {
    const key = Buffer.alloc(16).toString('base64');
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
    };
    request({ host: '127.0.0.1', port, path: clients[0]?.path, headers })
      .once('error', reject)
      .once('response', ({ statusCode }) => reject(new Error(`the pipeline beside answered ${statusCode}`)))
      .once('upgrade', (_response, socket) => {
        // The gateway ends before the round does.
        socket.on('error', () => undefined).resume();
        resolve();
      })
      .end();
  });
}
