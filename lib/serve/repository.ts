/** The models being served, by name and version. */
import type { FastifyBaseLogger } from 'fastify'
import type { Settings } from './options.ts'
import { RequestError } from './request-error.ts'
import { ServedModel } from './served-model.ts'
import { compareVersions, findSources } from './sources.ts'

export class ModelRepository {
  readonly #settings: Settings
  readonly #log: FastifyBaseLogger
  /** Of each name the versions, the newest first: that is the one a request gets that asks for none. */
  readonly #models = new Map<string, ServedModel[]>()
  /** Loads follow each other: two at once would take twice the memory for nothing. */
  #lastLoad: Promise<unknown> = Promise.resolve()

  private constructor(settings: Settings, log: FastifyBaseLogger) {
    this.#settings = settings
    this.#log = log
  }

  /** @throws whatever is wrong with a model: a server starts with all of them or not at all */
  static async open(settings: Settings, log: FastifyBaseLogger): Promise<ModelRepository> {
    const repository = new ModelRepository(settings, log)
    for (const source of await findSources(settings.models))
      repository.#add(await ServedModel.load(source, settings))
    return repository
  }

  #add(model: ServedModel): void {
    const versions = this.#models.get(model.name) ?? []
    versions.push(model)
    versions.sort((a, b) => compareVersions(b.version, a.version))
    this.#models.set(model.name, versions)
    const { signature, format } = model.current
    this.#log.info(
      { model: model.name, version: model.version, path: model.path, format, ...signature },
      'loaded',
    )
  }

  get all(): readonly ServedModel[] {
    return [...this.#models.values()].flat()
  }

  versionsOf(name: string): readonly ServedModel[] {
    return this.#models.get(name) ?? []
  }

  /** @throws {RequestError} 404 if there is no such model */
  find(name: string, version: string | undefined): ServedModel {
    const versions = this.#models.get(name)
    const model = version === undefined ? versions?.[0] : versions?.find((each) => each.version === version)
    if (model) return model
    const expected = versions
      ? `a version of ${name} among ${versions.map((each) => each.version).join(', ')}`
      : `a model among ${[...this.#models.keys()].join(', ')}`
    const got = version === undefined || !versions ? name : version
    throw new RequestError(404, `expected ${expected}, got ${JSON.stringify(got)}`, { outcome: 'not_found' })
  }

  /**
   * Loads one model anew, or all, and versions that have come into a folder since. What does not load goes on as it was, is
   * logged and counted.
   *
   * @returns what failed, with the reasons
   */
  reload(only?: ServedModel): Promise<ReloadReport> {
    const load = this.#lastLoad.then(() => (only ? this.#reloadAll([only]) : this.#reloadEverything()))
    this.#lastLoad = load
    return load
  }

  async #reloadEverything(): Promise<ReloadReport> {
    const report = await this.#reloadAll(this.all)
    try {
      const sources = await findSources(this.#settings.models)
      for (const source of sources) {
        if (this.versionsOf(source.name).some(({ version }) => version === source.version)) continue
        this.#add(await ServedModel.load(source, this.#settings))
        report.loaded++
      }
    } catch (error) {
      this.#log.error({ err: error }, 'new versions could not be loaded')
      report.failed.push({ name: '', version: '', error: error as Error })
    }
    return report
  }

  async #reloadAll(models: readonly ServedModel[]): Promise<ReloadReport> {
    const report: ReloadReport = { loaded: 0, failed: [] }
    for (const model of models) {
      const { name, version, path } = model
      try {
        await model.reload(this.#settings)
        report.loaded++
        this.#log.info({ model: name, version, path }, 'reloaded')
      } catch (error) {
        report.failed.push({ name, version, error: error as Error })
        this.#log.error(
          { model: name, version, path, err: error },
          'not reloaded; the model from before goes on',
        )
      }
    }
    return report
  }

  /** Waits for what was asked of the models. */
  async close(): Promise<void> {
    await this.#lastLoad
    await Promise.all(this.all.map(({ current }) => current.batcher.close()))
  }
}

export interface ReloadReport {
  loaded: number
  failed: { name: string; version: string; error: Error }[]
}
