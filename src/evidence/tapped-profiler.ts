/**
 * The CPU profiler where Datadog's tracer runs it. It is the same native profiler, of which a process has one: so
 * ours cuts windows out of theirs, and what was cut goes back into what they send.
 */
import pprof from '@datadog/pprof'
import type { Profile } from 'pprof-format'
import { joinProfileParts, ORIGIN_LABEL, type OwnerLabel, type ProfilePart } from './profile-parts.ts'
import {
  isProfileTooShort,
  labelSample,
  type ProfilerHost,
  profileBegins,
  profileEnds,
  type SampleArgs,
  type SampleLabels,
  SHARED_LABELS,
  shareProfiler
} from './profiler.ts'
import { chargeToProfiler } from './profiler-overhead.ts'

/** Every other profile in the process takes slots of the ring of contexts, which is sized for this duration. */
const CONTEXT_RING_FACTOR = 12

/** The owner's own idea of the active span, which its labels come from. */
export interface OwnerScope {
  /** False for spans that the owner does not know: those which nobody sends to it. */
  knows(span: object): boolean
  /** Runs `fn` with the owner's counterpart of `span` active, or none. */
  run<T>(span: object | undefined, fn: () => T): T
}

/**
 * Taps the profiler that `startOwner` starts.
 * Does nothing where that does not start it.
 * @param onError is told what went wrong with a profile that ended; the owner then gets it as it was cut
 */
export function tapProfiler(
  scope: OwnerScope,
  startOwner: () => void,
  onError: (error: unknown) => void
): void {
  const { time } = pprof
  const { start, stop } = time
  /** Our span by the owner's context of it. */
  const spans = new WeakMap<object, object>()
  /** Cut out of the profile that the owner has not asked for yet. */
  let parts: ProfilePart[] = []

  function cutPart(restart: boolean, label: (args: SampleArgs) => SampleLabels): Profile {
    const labelledFrom: SampleArgs[] = []
    function labelWithOrigin(args: SampleArgs): SampleLabels {
      labelledFrom.push(args)
      return { ...label(withOurSpan(args)), [ORIGIN_LABEL]: labelledFrom.length - 1 }
    }
    const profile = chargeToProfiler(() =>
      stop(restart, labelWithOrigin, SHARED_LABELS)
    ) as unknown as Profile
    profileBegins()
    parts.push({ profile, labelledFrom })
    return profile
  }

  function withOurSpan({ node, context }: SampleArgs): SampleArgs {
    if (context?.context === undefined) return { node, ...(context ? { context } : {}) }
    return { node, context: { ...context, context: spans.get(context.context) ?? context.context } }
  }

  const host: ProfilerHost = {
    runWithLabel(span, fn) {
      if (span === undefined || !scope.knows(span)) {
        return scope.run(undefined, () => time.runWithContext(span ?? {}, fn) as ReturnType<typeof fn>)
      }
      return scope.run(span, function runKnown() {
        spans.set(time.getContext() as object, span)
        return fn()
      })
    },
    cut: (label) => cutPart(true, label)
  }

  time.start = function startShared(options) {
    start({
      ...options,
      durationMillis: CONTEXT_RING_FACTOR * (options?.durationMillis ?? 0),
      // true pauses the main thread 16-38 ms at every stop, false about 1 ms.
      workaroundV8Bug: false
    })
    shareProfiler(host)
  }

  time.stop = function stopForOwner(restart = false, ownerLabel = labelNothing) {
    // So soon after a cut the rest waits for the next profile.
    if (parts.length === 0 || !restart || !isProfileTooShort()) profileEnds(cutPart(restart, labelSample))
    const [first, ...rest] = parts
    parts = []
    return join(first as ProfilePart, rest, ownerLabel) as unknown as ReturnType<typeof stop>
  }

  /** What it throws would end the owner's profiler for good. */
  function join(first: ProfilePart, rest: ProfilePart[], ownerLabel: OwnerLabel): Profile {
    try {
      return joinProfileParts([first, ...rest], ownerLabel)
    } catch (error) {
      onError(error)
      return first.profile
    }
  }

  startOwner()
  if (time.isStarted()) return
  time.start = start
  time.stop = stop
}

function labelNothing(): SampleLabels {
  return {}
}
