// Preloaded into a gateway (`NODE_OPTIONS=--import <this>`): its admin server does not close, as SHUTDOWN_FAULT says (`throw`, `hang`).
import { Server } from 'node:http';

Server.prototype.close = function close() {
  if (process.env.SHUTDOWN_FAULT === 'throw') throw new Error('the test wants it open');
  return this;
};
