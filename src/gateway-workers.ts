/** Wires the gateway threads to the parts of the main thread that hear from them. */
import type { Reload } from './admin/reload.js';
import type { Config } from './config/environment.js';
import { readerThreads } from './config/reader-threads.js';
import type { FixSide } from './fix-side.js';
import type { KeySetPosts } from './gateway/supervision/key-set-posts.js';
import { type SupervisorOptions, WorkerSupervisor } from './gateway/supervision/supervisor.js';
import { ThreadQuestions } from './gateway/supervision/thread-questions.js';
import type { Hub } from './hub/hub.js';
import type { ServiceStatus } from './hub/service-status.js';
import type { Loads } from './hub/shards/loads.js';
import type { Journalling } from './journalling.js';
import type { DescriptorWatch } from './observe/descriptors.js';
import type { Logger } from './observe/log.js';
import type { SampledNotes } from './observe/sampled-notes.js';
import { FIX_THREAD, GATEWAY_THREAD } from './programs.js';
import type { SurveillanceSide } from './surveillance-side.js';
import { type FromFix, isFromFix } from './threads/fix-messages.js';
import type { FromWorker } from './threads/thread-messages.js';

interface WorkerWiring {
  readonly config: () => Config;
  readonly log: Logger;
  readonly notes: SampledNotes;
  readonly loads: Loads;
  readonly status: ServiceStatus;
  readonly descriptors: DescriptorWatch;
  readonly keySet: KeySetPosts;
  readonly fix: FixSide;
  readonly surveillance: SurveillanceSide;
  readonly journal: Journalling;
  /** What is made after the threads' supervisor. */
  readonly later: () => { readonly hub: Hub; readonly reload: Reload };
  /** A drain was ordered, and the threads were told. */
  readonly isDrainOrdered: () => boolean;
  readonly onFatal: (reason: string) => void;
  readonly shared: Pick<SupervisorOptions, 'common' | 'rings' | 'doorbells' | 'traces' | 'revocations'>;
}

/** The threads' supervisor, and what asks them on behalf of operators. */
export interface Workers {
  readonly supervisor: WorkerSupervisor;
  readonly questions: ThreadQuestions;
}

export function newWorkers(wiring: WorkerWiring): Workers {
  const { config, log, notes, loads, keySet, journal, later, shared } = wiring;
  const questions: ThreadQuestions = new ThreadQuestions({
    workers: readerThreads(config()),
    post: (worker, question) => workers.post(worker, question),
    mayAsk: worker => workers.stateOf(worker) === 'running',
  });
  const forget = (worker: number) => {
    questions.ended(worker);
    later().hub.forgetWorker(worker);
    loads.forgetWorker(worker);
  };
  const workers: WorkerSupervisor = new WorkerSupervisor({
    ...shared,
    config,
    threadFile: GATEWAY_THREAD,
    fixThreadFile: FIX_THREAD,
    journal: worker => journal.start(worker),
    keys: () => keySet.keys,
    onMessage: (worker, message) => {
      if (message.type === 'admin') questions.answered(worker, message);
      else take(wiring, worker, message);
    },
    onStarting: worker => welcome(wiring, workers, worker),
    onDown: (worker, reason) => {
      log.error({ worker, reason }, 'gateway worker died and is replaced');
      journal.ended(worker, reason);
      forget(worker);
    },
    onFault: (worker, message) => notes.fault(`gateway worker ${worker}`, message),
    onLongWork: (worker, work) => {
      log.warn({ worker, ...work }, 'work for one connection took too long; closing the connection');
    },
    // It cannot be replaced while it may still wake up. Once it does, it is terminated. The others keep serving.
    onStuck: (worker, reason) => {
      log.fatal({ worker, reason }, 'gateway worker is stuck: its clients are lost');
      forget(worker);
      if (workers.stuck < readerThreads(config())) return;
      wiring.onFatal(`no gateway worker can serve: worker ${worker} ${reason}`);
    },
  });
  journal.connect((worker, message, transfer) => workers.post(worker, message, transfer));
  return { supervisor: workers, questions };
}

function take(wiring: WorkerWiring, worker: number, message: FromWorker | FromFix): void {
  const { loads, notes, keySet, fix, surveillance, later } = wiring;
  if (message.type === 'load') loads.set(worker, message.level);
  else if (message.type === 'shed') notes.shed(worker, message.sockets, message.bytes);
  else if (message.type === 'clients') notes.clients(message.lines, message.leftOut);
  else if (message.type === 'keys_wanted') void keySet.wanted(worker);
  else if (message.type === 'reloaded') later().reload.answered(message.id, message.reloaded);
  else if (message.type === 'behaviour') surveillance.behaviour(message);
  else if (isFromFix(message)) fix.receive(message);
  else later().hub.fromWorker(worker, message);
}

/** Tells a starting worker what it must know before it listens. */
function welcome(
  { status, descriptors, fix, later, isDrainOrdered }: WorkerWiring,
  workers: WorkerSupervisor,
  worker: number,
): void {
  later().hub.welcome(worker);
  fix.welcome(worker);
  workers.post(worker, status.current);
  if (isDrainOrdered()) workers.post(worker, { type: 'drain' });
  if (descriptors.isShort) workers.post(worker, { type: 'accept', isAccepting: false });
}
