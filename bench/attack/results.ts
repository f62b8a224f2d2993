/** What the attack suite runs, and what it measures. */
import type { Phase, SceneSettings, Stretch } from './scene.js';

export interface AttackSettings extends SceneSettings {
  readonly rounds: number;
  /** How long the gateway's memory has to return. */
  readonly settleSeconds: number;
  /** Each attack has a gateway of its own; false: only where the one before was hurt. */
  readonly isFresh: boolean;
}

export interface AttackResult {
  readonly attack: string;
  readonly id: string;
  /** Round by round, each with all phases in their order. */
  readonly rounds: readonly (readonly Stretch[])[];
  /** How the gateway ended, where it did. */
  readonly ended: string | undefined;
  /** The gateway's resident memory before the attack, and once it had time to return. */
  readonly residentQuiet: number;
  readonly residentSettled: number;
}

export const PHASES: readonly Phase[] = ['quiet', 'null server', 'attacked', 'after'];
