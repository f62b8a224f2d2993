/**
 * What one client can do to all others: each attack beside a victim, an institutional client of 20 quotes at 200 messages a
 * second. R40a, R41; J1 to J8.
 */
import { ChildFailure } from '../harness/children.js';
import type { SuiteReport } from '../report/report.js';
import { type BenchOptions, type Suite, type SuiteContext, UsageError } from '../suite.js';
import { ATTACKS, type Attack, planOf, titleOf } from './attacks.js';
import type { AttackPlan } from './messages.js';
import { reportAttacks } from './report.js';
import { type AttackResult, type AttackSettings, PHASES } from './results.js';
import { Scene, type Stretch } from './scene.js';

const FULL = {
  rounds: 3,
  clients: 20,
  seconds: 5,
  warmupSeconds: 1,
  rate: 200,
  settleSeconds: 20,
  market: { topics: 1024, trades: 19_000 },
};
const QUICK = {
  rounds: 1,
  clients: 4,
  seconds: 0.5,
  warmupSeconds: 0.2,
  rate: 200,
  settleSeconds: 1,
  market: { topics: 256, trades: 2000 },
};
const SYMBOLS = 20;

export const attack: Suite = {
  name: 'attack',
  summary: 'what one client can do to all others (R40a, R41)',
  run: runAttacks,
};

async function runAttacks({ options, progress, signal }: SuiteContext): Promise<SuiteReport> {
  const settings = settingsOf(options);
  const results: AttackResult[] = [];
  let scene: Scene | undefined;
  try {
    for (const [index, one] of ATTACKS.entries()) {
      if (!isChosen(one, options.only)) continue;
      const say = (text: string): void => progress(`${titleOf(one)}: ${text}`);
      const { result, left } = await runAttack({ attack: one, index, settings, say, signal }, scene);
      results.push(result);
      scene = left;
      if (!settings.isFresh) continue;
      await scene?.close();
      scene = undefined;
    }
  } finally {
    await scene?.close();
  }
  return reportAttacks(settings, results);
}

interface Running {
  readonly attack: Attack;
  readonly index: number;
  readonly settings: AttackSettings;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** @returns the scene too, where it is as it was */
async function runAttack({ attack, index, settings, say, signal }: Running, given: Scene | undefined) {
  const rounds: Stretch[][] = [];
  let scene = given;
  let ended: string | undefined;
  let [residentQuiet, residentSettled] = [Number.NaN, Number.NaN];
  for (let round = 1; round <= settings.rounds && ended === undefined; round++) {
    say(`round ${round} of ${settings.rounds}`);
    scene ??= await Scene.open(settings, signal);
    const plan = await planOf(attack, index, scene.secret, settings.market);
    const { stretches, failure } = await runRound(scene, plan);
    rounds.push(stretches);
    ended = failure;
    const quiet = stretches.find(({ phase }) => phase === 'quiet')?.residentEnd ?? Number.NaN;
    if (Number.isNaN(residentQuiet)) residentQuiet = quiet;
    const isHurt = failure !== undefined || stretches.some(isHurtBy);
    if (!isHurt && round < settings.rounds) continue;
    if (failure === undefined) residentSettled = await scene.settled(residentQuiet, settings.settleSeconds);
    if (!isHurt) continue;
    await scene.close();
    scene = undefined;
  }
  const result = { attack: titleOf(attack), id: attack.id, rounds, ended, residentQuiet, residentSettled };
  return { result, left: scene };
}

/** All phases, or up to the one in which the gateway ended. */
async function runRound(
  scene: Scene,
  plan: AttackPlan,
): Promise<{ stretches: Stretch[]; failure: string | undefined }> {
  const stretches: Stretch[] = [];
  try {
    for (const phase of PHASES) stretches.push(await scene.stretch(phase, plan));
    return { stretches, failure: undefined };
  } catch (error) {
    if (!(error instanceof ChildFailure) || !error.message.startsWith('millrace')) throw error;
    return { stretches, failure: error.message };
  }
}

/** The gateway is not what it was: clients are gone, or it owes more than it could send. */
function isHurtBy({ phase, cutOff, keptUp }: Stretch): boolean {
  return cutOff > 0 || (phase === 'after' && !keptUp);
}

function isChosen({ id, name }: Attack, only: BenchOptions['only']): boolean {
  return only === undefined || only.some(wanted => wanted === id || name.includes(wanted));
}

function settingsOf(options: BenchOptions): AttackSettings {
  const defaults = options.quick ? QUICK : FULL;
  const clients = options.clients ?? defaults.clients;
  if (clients < 2) throw new UsageError('--clients: at least 2, one of which is the victim');
  if (!ATTACKS.some(one => isChosen(one, options.only))) {
    throw new UsageError(`--only: no such attack; there are ${ATTACKS.map(titleOf).join(', ')}`);
  }
  return {
    rounds: options.rounds ?? defaults.rounds,
    clients,
    symbols: options.symbols ?? SYMBOLS,
    seconds: options.seconds ?? defaults.seconds,
    warmupSeconds: options.warmupSeconds ?? defaults.warmupSeconds,
    rate: options.rate ?? defaults.rate,
    settleSeconds: defaults.settleSeconds,
    isFresh: !options.quick,
    market: defaults.market,
    workers: options.workers,
    encoders: options.encoders,
  };
}
