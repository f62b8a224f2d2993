/** The products that decide what is held back: their file is reread when it changes. */
import type { Products } from '../../auth/product.js';
import { ConfigError } from '../../config/config-error.js';
import { WatchedFiles } from '../../config/watched-files.js';

interface WatchedProductsOptions {
  /** Undefined: there are none. */
  readonly path: string | undefined;
  /** Called with those of the file, now and whenever it has changed. */
  readonly use: (products: Products) => void;
  readonly onFault: (what: string, detail: string) => void;
}

export class WatchedProducts {
  readonly #options: WatchedProductsOptions;
  #stop = () => {};

  constructor(options: WatchedProductsOptions) {
    this.#options = options;
  }

  /** @throws {ConfigError} naming PRODUCTS_FILE and what is wrong with it */
  async open(): Promise<void> {
    const { path, use, onFault } = this.#options;
    if (path === undefined) return;
    const { openProducts } = await import('../../auth/products.js');
    const file = new WatchedFiles([path]);
    const read = async () => use(await openProducts(path));
    await file.read(read);
    this.#stop = file.watch(async () => {
      try {
        await file.read(read);
      } catch (cause) {
        if (!(cause instanceof ConfigError)) throw cause;
        onFault('PRODUCTS_FILE unusable; keeping what was read before', cause.message);
      }
    });
  }

  close(): void {
    this.#stop();
  }
}
