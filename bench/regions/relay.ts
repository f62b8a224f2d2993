/** The ways between regions, in a process of their own: what else the benchmark does must not lengthen them. */
import { serve } from '../harness/channel.js';
import { openDelayRelay } from './delay-relay.js';
import type { RelayAnswer, RelayCommand } from './messages.js';

serve<RelayCommand, RelayAnswer>(async ({ port, delayMs }) => ({
  type: 'opened',
  port: await openDelayRelay(port, delayMs),
}));
