/** Client commands as they are served: the shapes that commands.ts accepts, narrowed to values that can be valid. */
import { z } from 'zod';
import { commandSchemas } from '../command-schemas.js';
import { commandId, define, depth, json, name, position, rateClass, stream } from './members.js';

const subscription = {
  stream: stream.optional(),
  class: rateClass.optional(),
  depth: depth.optional(),
};
const id = commandId.optional();
const since = position
  .optional()
  .describe('The client’s position in the topic: what it missed since is sent, if available');

export const clientCommands = {
  subscribe: define(
    'subscribe',
    commandSchemas.subscribe.extend({ ...subscription, id, since }),
    'Subscribes to topics, or moves them to another class or depth. The stream may be absent if channels are named.',
    { action: 'subscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT'], class: '100ms', id: '1' },
  ),
  unsubscribe: define(
    'unsubscribe',
    commandSchemas.unsubscribe.extend({ ...subscription, id }),
    'Ends subscriptions; topics that are not subscribed cause no error',
    { action: 'unsubscribe', stream: 'quotes', symbols: ['AAPL', 'MSFT'], id: '9' },
  ),
  resync: define(
    'resync',
    commandSchemas.resync.extend({ id, stream: stream.optional() }),
    'Asks for a new snapshot of a state topic without unsubscribing',
    { action: 'resync', stream: 'quotes', symbol: 'AAPL' },
  ),
  publish: define(
    'publish',
    commandSchemas.publish.extend({ id, stream: z.literal('rooms'), room: name, data: json }),
    'Publishes a message in a room. Repeated with the same id by the same user, it is sent once and acknowledged again.',
    { action: 'publish', stream: 'rooms', room: 'desk-7', data: { text: 'good morning' }, id: 'm1' },
  ),
  auth: define('auth', commandSchemas.auth.extend({ id }), 'Replaces the credential of the live connection', {
    action: 'auth',
    token: '<token>',
    id: '4',
  }),
  ping: define('ping', commandSchemas.ping.extend({ id }), 'Asks for a pong', { action: 'ping', id: '7' }),
};
