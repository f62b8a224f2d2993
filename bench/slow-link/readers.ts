/** The readers of one round, in a process of their own. */
import { serve } from '../harness/channel.js';
import type { ReadersAnswer, ReadersCommand } from './messages.js';
import { ThrottledReader } from './throttled-reader.js';

let readers: ThrottledReader[] = [];

serve<ReadersCommand, ReadersAnswer>(async command => {
  if (command.type === 'connect') {
    readers = command.readers.map(plan => new ThrottledReader(command.port, plan));
    await Promise.all(readers.map(({ connected }) => connected));
    return { type: 'connected' };
  }
  if (command.type === 'begin') {
    for (const reader of readers) reader.begin();
    return { type: 'begun' };
  }
  const reports = readers.map(reader => reader.report());
  for (const reader of readers) reader.end();
  return { type: 'measured', readers: reports };
});
