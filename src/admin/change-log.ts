/** Logs what operators change: one line for each order, with its author, its reason and its outcome. */
import { z } from 'zod';
import type { ApiParts } from './api.js';
import type { Caller } from './route.js';

const REASON_LENGTH_MAX = 200;

/** Why an operator changes something. */
export const reason = z.string().min(1).max(REASON_LENGTH_MAX).optional();

/** @returns writes the line. @param reason as the order gives it */
export function changeLog(
  { log }: Pick<ApiParts, 'log'>,
  { shown }: Caller,
  order: string,
  reason: string | undefined,
) {
  return (outcome: string, details: object = {}): void => {
    log.warn({ order, author: shown, reason, outcome, ...details }, 'operator order');
  };
}
