/** The columns of tables of connections. */
import type { ConnectionRow } from '../protocol/admin-rows.js';
import { bytes, count, duration, milliseconds, plural } from './format.js';
import { connectionHash, userHash } from './page.js';
import type { Column } from './table.js';

export const circuitTone = (circuit: string) => (circuit === 'closed' ? '' : circuit === 'open' ? 'bad' : 'warn');
export const circuitText = (circuit: string) => circuit.replace('_', ' ');
export const conflationText = (steps: number) => (steps === 0 ? 'none' : `${plural(steps, 'class', 'classes')} slower`);
export const userText = (user: string | null) => user ?? 'anonymous';

const ID: Column<ConnectionRow> = {
  title: 'Connection',
  text: ({ id }) => id,
  href: ({ id }) => connectionHash(id),
  isMono: true,
};
const USER: Column<ConnectionRow> = {
  title: 'User',
  text: ({ user }) => userText(user),
  href: ({ user }) => (user === null ? undefined : userHash(user)),
};
const BUFFERED: Column<ConnectionRow> = {
  title: 'Buffered',
  isNumber: true,
  text: row => bytes(row.buffered_bytes),
  tone: row => (row.buffered_bytes > 0 ? 'warn' : ''),
};
const RATE: Column<ConnectionRow> = {
  title: 'Bytes/s',
  isNumber: true,
  isMinor: true,
  text: row => `${bytes(row.rate_bytes_per_second)}/s`,
};
const AGE_OF_DATA: Column<ConnectionRow> = {
  title: 'Age of data',
  isNumber: true,
  text: row => milliseconds(row.age_of_data_ms),
};
const CIRCUIT: Column<ConnectionRow> = {
  title: 'Circuit',
  text: ({ circuit }) => circuitText(circuit),
  tone: ({ circuit }) => circuitTone(circuit),
};
const CONFLATION: Column<ConnectionRow> = {
  title: 'Conflation',
  isMinor: true,
  text: row => conflationText(row.conflation_steps),
  tone: row => (row.conflation_steps === 0 ? '' : 'warn'),
};

export const SLOWEST: readonly Column<ConnectionRow>[] = [ID, USER, BUFFERED, AGE_OF_DATA, RATE, CIRCUIT, CONFLATION];

export const ALL: readonly Column<ConnectionRow>[] = [
  ID,
  USER,
  { title: 'Tier', isMinor: true, text: ({ tier }) => tier },
  { title: 'Endpoint', isMinor: true, text: ({ endpoint, format }) => `${endpoint}, ${format}` },
  { title: 'Address', text: ({ address }) => address },
  { title: 'Connected', isNumber: true, text: row => duration(row.age_seconds) },
  { title: 'Topics', isNumber: true, text: row => count(row.subscriptions) },
  RATE,
  BUFFERED,
  AGE_OF_DATA,
  CIRCUIT,
  CONFLATION,
];
