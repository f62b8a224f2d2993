/** What is to be served, on which machines: the inputs of the capacity sheet, and which of them cannot be. */
import { CONSTANTS } from './constants.js';

/** Milliseconds between two messages of a topic; 0: every update. */
export const CLASSES = { realtime: 0, '16ms': 16, '100ms': 100, '1000ms': 1_000 } as const;
export type RateClass = keyof typeof CLASSES;
export const TLS = ['on', 'off', 'proxy'] as const;

export interface Plan {
  /** Undefined on a command line without it, which {@link checkPlan} refuses. */
  readonly clients: number;
  /** Published symbols. */
  readonly symbols: number;
  /** Updates of each symbol a second. */
  readonly rate: number;
  /** Symbols that a client follows. */
  readonly perClient: number;
  /** Share of the clients in `realtime`, from 0 to 1. */
  readonly institutional: number;
  /** Class of the others. */
  readonly rateClass: RateClass;
  readonly format: 'json' | 'msgpack';
  /** Of a message to a client; undefined: what a change of a quote has in the format. */
  readonly messageBytes: number | undefined;
  /** Of a publisher's message. */
  readonly feedBytes: number;
  /** `proxy`: TLS ends in a balancer that is not counted here. */
  readonly tls: (typeof TLS)[number];
  readonly jetstream: boolean;
  /** Share of the clients that read nothing at some moment. */
  readonly slow: number;
  /** CPU of one write to a socket. */
  readonly writeMicros: number;
  /** WS_MAX_CONNECTIONS. */
  readonly connectionsPerGateway: number;
  readonly cores: number;
  readonly memoryGib: number;
  readonly nicGbit: number;
  /** Share of a machine's cores, memory and network that is used at the most. */
  readonly target: number;
  /** Machines that may fail at the same time. */
  readonly spare: number;
}

export const DEFAULTS: Omit<Plan, 'clients'> = {
  symbols: 500,
  rate: 20,
  perClient: 20,
  institutional: 0.02,
  rateClass: '100ms',
  format: 'json',
  messageBytes: undefined,
  feedBytes: 200,
  tls: 'on',
  jetstream: true,
  slow: 0.01,
  writeMicros: CONSTANTS.writeMicros.value,
  connectionsPerGateway: 10_000,
  cores: 16,
  memoryGib: 64,
  nicGbit: 25,
  target: 0.7,
  spare: 1,
};

/** By member: least and most; `whole` ones have no fraction. */
const BOUNDS: Readonly<Partial<Record<keyof Plan, { readonly min: number; readonly max: number; whole?: true }>>> = {
  clients: { min: 1, max: 10_000_000, whole: true },
  symbols: { min: 1, max: 150_000, whole: true },
  rate: { min: 0.01, max: 10_000 },
  perClient: { min: 1, max: 100_000, whole: true },
  institutional: { min: 0, max: 1 },
  messageBytes: { min: 20, max: 65_535, whole: true },
  feedBytes: { min: 20, max: 262_144, whole: true },
  slow: { min: 0, max: 1 },
  writeMicros: { min: 0.5, max: 1_000 },
  connectionsPerGateway: { min: 1, max: 100_000, whole: true },
  cores: { min: 2, max: 512, whole: true },
  memoryGib: { min: 1, max: 16_384 },
  nicGbit: { min: 0.1, max: 1_600 },
  target: { min: 0.1, max: 0.95 },
  spare: { min: 0, max: 1_000, whole: true },
};

/** Inputs that cannot be. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}

/** The option of the command line that sets a member: `perClient` → `--per-client`. */
export function optionOf(member: string): string {
  return `--${member.replace('rateClass', 'class').replace(/[A-Z]+/g, letters => `-${letters.toLowerCase()}`)}`;
}

/** @throws {PlanError} naming the option, and what it may be */
export function checkPlan(plan: Plan): void {
  if (plan.clients === undefined) throw new PlanError('--clients is missing: give the number of connections');
  for (const [member, { min, max, whole }] of Object.entries(BOUNDS)) {
    const value = plan[member as keyof Plan];
    if (value === undefined) continue;
    const isFit = typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value));
    if (isFit) continue;
    throw new PlanError(
      `${optionOf(member)} ${String(value)}: must be a ${whole ? 'whole number' : 'number'} from ${min} to ${max}`,
    );
  }
  if (plan.perClient > plan.symbols) {
    throw new PlanError(`--per-client ${plan.perClient}: there are only ${plan.symbols} symbols (--symbols)`);
  }
}
