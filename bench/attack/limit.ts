/** What was the limit while an attack lasted: two cores are soon used up, by the attacker as well as by the gateway. */
import { GENERATOR_BOUND_UTILISATION } from '../load/load-generator.js';

export type Limit = 'none' | 'gateway' | 'attacker' | 'machine';

/** Shares of one core, and of the time. */
interface Usage {
  readonly busiestGatewayThread: number;
  readonly attackerLoop: number;
  /** Cores that all programs of the machine used. */
  readonly machine: number;
}

const THREAD_BUSY_MIN = 0.85;
const MACHINE_BUSY_MIN = 0.9;

/**
 * `gateway`: a thread of it was busy all the time. `machine`: no thread was, and yet no core was left. `attacker`: it could
 * not have sent more.
 */
export function limitOf({ busiestGatewayThread, attackerLoop, machine }: Usage, cores: number): Limit {
  if (busiestGatewayThread >= THREAD_BUSY_MIN) return 'gateway';
  if (machine >= cores * MACHINE_BUSY_MIN) return 'machine';
  return attackerLoop >= GENERATOR_BOUND_UTILISATION ? 'attacker' : 'none';
}

/**
 * How far the others' p99 moved: against the quiet before, or against the same attack on a server that does nothing, where
 * that moved it further, as then the machine did. Infinite where nothing came any more.
 */
export function movedBy(p99: {
  readonly quiet: number;
  readonly nullServer: number;
  readonly attacked: number;
}): number {
  const { quiet, nullServer, attacked } = p99;
  if (Number.isNaN(attacked)) return Number.POSITIVE_INFINITY;
  return attacked / Math.max(quiet, Number.isNaN(nullServer) ? 0 : nullServer);
}
