/** A WebSocket that shows each message as it came, before the client reads it. */
import type { WebSocketConstructor } from '../client/options.js';

/** @param onMessage called with each message; text, or an `ArrayBuffer` */
export function tappedSocket(onMessage: (data: string | ArrayBuffer) => void): WebSocketConstructor {
  return class extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => onMessage(data));
    }
  };
}
