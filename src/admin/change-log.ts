/** Logs and records what operators change: each order with its author, its reason and its outcome. */
import { z } from 'zod';
import type { AdminRecord } from '../threads/journal-records.js';
import type { ApiParts } from './api.js';
import type { Caller } from './route.js';

const REASON_LENGTH_MAX = 200;

/** Why an operator changes something. */
export const reason = z.string().min(1).max(REASON_LENGTH_MAX).optional();

/** What an order is about, as it is: the journal makes pseudonyms of users. */
type OrderTarget = Pick<AdminRecord, 'user' | 'c' | 'topic'>;

/** @returns writes the line and the record. @param reason as the order gives it */
export function changeLog(
  { log, parts }: Pick<ApiParts, 'log' | 'parts'>,
  { name, shown }: Caller,
  order: string,
  reason: string | undefined,
) {
  return (outcome: string, details: object = {}, target: OrderTarget = {}): void => {
    log.warn({ order, author: shown, reason, outcome, ...details }, 'operator order');
    const { journal } = parts();
    journal.record({ k: 'admin', what: order, by: 'admin', author: name, ...target, detail: reason, result: outcome });
  };
}
