/** The uWebSockets that the gateway loads on this machine. Needs `npm run build`. */
import { uws } from '../../dist/gateway/native/uws.js';

export { uws, uwsPackage } from '../../dist/gateway/native/uws.js';
export const {
  App,
  SSLApp,
  DEDICATED_COMPRESSOR_4KB,
  DISABLED,
  LIBUS_LISTEN_EXCLUSIVE_PORT,
  SHARED_COMPRESSOR,
  us_listen_socket_close,
  us_socket_local_port,
} = uws;
