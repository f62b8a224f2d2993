/** Settings of surveillance. */
import { optional, setting, type ValuesOf } from '../setting.js';
import { file, matching, oneOf, onOff } from '../values.js';

const SEE = 'ops/surveillance.md';
const NO_LEASE = 'off';

const surveillance = {
  title: 'Surveillance',
  about: 'Detectors that watch orders, trades and clients for patterns of abuse.',
  settings: {
    SURVEILLANCE: optional(onOff, {
      means:
        '`on` watches orders, trades and books, whatever clients follow, and the commands of clients; alerts go to `surveillance.alerts` and the channel `alerts`.',
      unset: '`on` in the demo (the simulator, and no `AUTH_…` source), else `off`',
      see: SEE,
    }),
    SURVEILLANCE_THRESHOLDS: optional(file, {
      means: 'JSON file with the thresholds that differ from the starting values.',
      see: `${SEE}#thresholds`,
    }),
    SURVEILLANCE_LEASE: setting(matching(/^[\w-]{1,64}$/, 'the name of a bucket, or off'), 'millrace-surveillance', {
      means:
        'Key-value bucket on the NATS server through which several gateways agree on the one that watches the market. ' +
        '`off` watches without a lease: set it on one gateway only, if there is no JetStream.',
      see: `${SEE}#one-of-several-gateways`,
    }),
    SURVEILLANCE_CHANNEL: setting(oneOf(['evidence', 'summary', 'off']), 'evidence', {
      means:
        'What the clients’ channel `alerts` shows: alerts with figures and message ids (`evidence`), without them (`summary`), or no alerts of surveillance. It never names users.',
      see: `${SEE}#who-sees-what`,
    }),
  },
} as const;

export const surveillanceGroups = [surveillance];

export type SurveillanceVariables = ValuesOf<typeof surveillance.settings>;

export interface SurveillanceConfig {
  readonly thresholdsFile: string | undefined;
  /** Undefined: no other gateway watches. */
  readonly leaseBucket: string | undefined;
  readonly channel: 'evidence' | 'summary' | 'off';
}

/** Settings without any effect are refused, because the operator relies on them. @param isGiven whether a variable is set */
export function surveillanceProblems(
  v: SurveillanceVariables,
  isDemo: boolean,
  isGiven: (name: string) => boolean,
): string[] {
  if (v.SURVEILLANCE ?? isDemo) return [];
  return ['SURVEILLANCE_THRESHOLDS', 'SURVEILLANCE_LEASE', 'SURVEILLANCE_CHANNEL']
    .filter(isGiven)
    .map(name => `${name}: needs SURVEILLANCE=on`);
}

/** Undefined: there is no surveillance. @param isDemo what an unset SURVEILLANCE depends on */
export function surveillanceConfig(v: SurveillanceVariables, isDemo: boolean): SurveillanceConfig | undefined {
  if (!(v.SURVEILLANCE ?? isDemo)) return undefined;
  return {
    thresholdsFile: v.SURVEILLANCE_THRESHOLDS,
    leaseBucket: v.SURVEILLANCE_LEASE === NO_LEASE ? undefined : v.SURVEILLANCE_LEASE,
    channel: v.SURVEILLANCE_CHANNEL,
  };
}
