/**
 * What Kubernetes and KServe take, of the fields that our manifests use: unknown fields are errors, as they are for
 * `kubectl apply --validate=strict`. Written after the API references of Kubernetes 1.30 and of KServe's serving.kserve.io/v1beta1.
 */

type Check = (value: unknown, path: string) => string[]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function expected(what: string, isFine: (value: unknown) => boolean): Check {
  return (value, path) => (isFine(value) ? [] : [`${path}: expected ${what}, got ${JSON.stringify(value)}`])
}

const text = expected('a text', (value) => typeof value === 'string' && value !== '')
const flag = expected('true or false', (value) => typeof value === 'boolean')
const whole = (least: number): Check =>
  expected(
    `an integer of at least ${least}`,
    (value) => Number.isInteger(value) && (value as number) >= least,
  )
const port = expected(
  'a port',
  (value) => Number.isInteger(value) && (value as number) > 0 && (value as number) < 65536,
)
const oneOf = (...values: unknown[]): Check =>
  expected(values.join(' or '), (value) => values.includes(value))
const matching = (what: string, pattern: RegExp): Check =>
  expected(what, (value) => typeof value === 'string' && pattern.test(value))
/** RFC 1123, as names of objects, containers and volumes are. */
const name = matching('a name', /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
const quantity = matching('a quantity', /^\d+(\.\d+)?(m|k|[MGTPE]|[KMGTPE]i)?$/)
const absolute = matching('an absolute path', /^\/\S*$/)

const list =
  (item: Check): Check =>
  (value, path) =>
    Array.isArray(value) && value.length > 0
      ? value.flatMap((each, i) => item(each, `${path}[${i}]`))
      : [`${path}: expected a list that is not empty, got ${JSON.stringify(value)}`]

const map =
  (item: Check): Check =>
  (value, path) =>
    isObject(value)
      ? Object.entries(value).flatMap(([key, each]) => item(each, `${path}.${key}`))
      : [`${path}: expected a map, got ${JSON.stringify(value)}`]

/** Names that end in `?` may be left out; others than these must be. */
function object(fields: Record<string, Check>): Check {
  return (value, path) => {
    if (!isObject(value)) return [`${path}: expected an object, got ${JSON.stringify(value)}`]
    const known = Object.keys(fields).map((key) => key.replace('?', ''))
    const strange = Object.keys(value).filter((key) => !known.includes(key))
    const wrong = strange.map((key) => `${path}.${key}: no such field`)
    for (const [key, check] of Object.entries(fields)) {
      const plain = key.replace('?', '')
      if (plain in value) wrong.push(...check(value[plain], `${path}.${plain}`))
      else if (plain === key) wrong.push(`${path}.${plain}: is missing`)
    }
    return wrong
  }
}

const probe = object({
  httpGet: object({ path: absolute, port, 'scheme?': oneOf('HTTP', 'HTTPS') }),
  'initialDelaySeconds?': whole(0),
  'periodSeconds?': whole(1),
  'timeoutSeconds?': whole(1),
  'failureThreshold?': whole(1),
})

const env: Check = (value, path) => {
  const from = object({ secretKeyRef: object({ name, key: text }) })
  const isFrom = isObject(value) && 'valueFrom' in value
  return object({
    name: matching('a variable', /^[A-Z_][A-Z0-9_]*$/),
    ...(isFrom ? { valueFrom: from } : { value: text }),
  })(value, path)
}

const container = object({
  name,
  image: matching('an image with a tag', /^[a-z0-9./-]+:[\w.-]+$/),
  'args?': list(text),
  'env?': list(env),
  ports: list(object({ name, containerPort: port, protocol: oneOf('TCP') })),
  resources: object({
    requests: object({ cpu: quantity, memory: quantity }),
    limits: object({ cpu: quantity, memory: quantity }),
  }),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  securityContext: object({
    allowPrivilegeEscalation: flag,
    readOnlyRootFilesystem: flag,
    capabilities: object({ drop: list(text) }),
  }),
  volumeMounts: list(object({ name, mountPath: absolute, readOnly: flag })),
})

const podSpec = {
  terminationGracePeriodSeconds: whole(1),
  securityContext: object({ runAsNonRoot: flag, seccompProfile: object({ type: oneOf('RuntimeDefault') }) }),
  volumes: list((value, path) =>
    object(
      isObject(value) && 'secret' in value
        ? { name, secret: object({ secretName: name }) }
        : { name, persistentVolumeClaim: object({ claimName: name, 'readOnly?': flag }) },
    )(value, path),
  ),
  containers: list(container),
}

const labels = map(text)
const metadata = object({ name, 'labels?': labels, 'annotations?': map(text) })

const kinds: Record<string, Check> = {
  // A container of one's own stands in the predictor as in a pod; its protocol is told by a variable, see KServe's custom predictors.
  'serving.kserve.io/v1beta1 InferenceService': object({
    apiVersion: text,
    kind: text,
    metadata,
    spec: object({ predictor: object({ 'minReplicas?': whole(0), 'maxReplicas?': whole(0), ...podSpec }) }),
  }),
  'apps/v1 Deployment': object({
    apiVersion: text,
    kind: text,
    metadata,
    spec: object({
      replicas: whole(1),
      selector: object({ matchLabels: labels }),
      template: object({ metadata: object({ labels }), spec: object(podSpec) }),
    }),
  }),
  'v1 Service': object({
    apiVersion: text,
    kind: text,
    metadata,
    spec: object({
      selector: labels,
      ports: list(object({ name, port, targetPort: port, protocol: oneOf('TCP') })),
    }),
  }),
}

/** What is wrong with a manifest's fields. */
export function problemsOf(manifest: unknown): string[] {
  const { apiVersion, kind } = manifest as Record<string, unknown>
  const check = kinds[`${apiVersion} ${kind}`]
  return check ? check(manifest, String(kind)) : [`expected a kind that is known, got ${apiVersion} ${kind}`]
}

const units: Record<string, number> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 }

/** "512Mi" as 536870912. */
export function numberOf(quantity: string): number {
  const [, digits, unit = ''] = /^([\d.]+)(.*)$/.exec(quantity)!
  const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].indexOf(unit)
  return Number(digits) * (binary >= 0 ? 1024 ** (binary + 1) : (units[unit] ?? 1))
}
