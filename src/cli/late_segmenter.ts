/**
 * Has `Intl.Segmenter` load its tables when text is cut for the first time.
 *
 * WHY: the parser of options makes one while it is loaded, and uses it for the columns of help alone; 10 ms of
 * each start (docs/bench.md). Takes effect by being imported, before the parser is.
 * @module
 */

const { Segmenter } = Intl;

/** As Intl.Segmenter, but for when it costs. */
class LateSegmenter implements Intl.Segmenter {
  readonly #args: ConstructorParameters<typeof Segmenter>;
  #made: Intl.Segmenter | null = null;

  constructor(...args: ConstructorParameters<typeof Segmenter>) {
    this.#args = args;
  }

  get #real(): Intl.Segmenter {
    return this.#made ??= new Segmenter(...this.#args);
  }

  segment(text: string): Intl.Segments {
    return this.#real.segment(text);
  }

  resolvedOptions(): Intl.ResolvedSegmenterOptions {
    return this.#real.resolvedOptions();
  }

  static supportedLocalesOf(...args: Parameters<typeof Segmenter.supportedLocalesOf>): string[] {
    return Segmenter.supportedLocalesOf(...args);
  }
}

Object.assign(Intl, { Segmenter: LateSegmenter });
