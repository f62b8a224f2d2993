/** How well alerts match what is known to have happened: precision and recall, by detector. */
import type { AlertRow } from '../protocol/admin-rows.js';
import { DETECTORS } from '../threads/surveillance-messages.js';

/** Something that detectors should find; `millrace simulate --labels` writes them, one JSON object a line. */
export interface Label {
  /** The detector. */
  readonly kind: string;
  readonly symbol: string;
  readonly users: readonly string[];
  readonly fromMicros: number;
  readonly toMicros: number;
}

export interface Score {
  readonly detector: string;
  readonly planted: number;
  readonly found: number;
  /** Alerts about what was planted, and others. */
  readonly right: number;
  readonly wrong: number;
}

type Found = Pick<AlertRow, 'detector' | 'users'>;

/** Every detector that has a label or an alert. */
export function scoresOf(labels: readonly Label[], alerts: readonly Found[]): Score[] {
  return DETECTORS.flatMap(detector => {
    const planted = labels.filter(({ kind }) => kind === detector);
    const reported = alerts.filter(alert => alert.detector === detector);
    if (planted.length + reported.length === 0) return [];
    const found = planted.filter(label => reported.some(alert => isOf(alert, label))).length;
    const right = reported.filter(alert => planted.some(label => isOf(alert, label))).length;
    return [{ detector, planted: planted.length, found, right, wrong: reported.length - right }];
  });
}

/** The same pattern, and no user besides those who did it. */
const isOf = ({ users }: Found, { users: planted }: Label): boolean => users.every(user => planted.includes(user));

/** Reads one line of a file of labels. @returns undefined if it is none */
export function labelOf(line: string): Label | undefined {
  try {
    const label = JSON.parse(line) as Partial<Label> | null;
    const isLabel = typeof label?.kind === 'string' && Array.isArray(label.users);
    return isLabel ? (label as Label) : undefined;
  } catch {
    return undefined;
  }
}
