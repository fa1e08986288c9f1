/** The heap of this very isolate, seen through its inspector. For a child process that is thrown away afterwards. */
import inspector from 'node:inspector'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { getHeapSnapshot } from 'node:v8'
import { type HeapGraph, parseHeapSnapshot } from './heap-graph.ts'

export interface HeapInspector {
  /**
   * Collects garbage and numbers every object that is alive now. What is allocated from now on and still alive at the
   * next boundary gets a higher number than the one returned.
   */
  markBoundary(): number
  takeSnapshot(): Promise<HeapGraph>
  /** Collects what a boundary's collection leaves: what only weak references and caches of V8 still reach. */
  collectEverything(): Promise<void>
  /** Lets the FinalizationRegistry callbacks of what was collected run: caches of weak references tidy up in them. */
  runFinalizers(): Promise<void>
  /**
   * Calls `declaration`, the text of a function, with the object as `this`; does nothing for an object that is V8's own.
   * Walks the whole heap.
   */
  callOn(objectId: number, declaration: string): void
  /** @returns undefined where the inspector refuses */
  post(method: string, params?: object): unknown
  on(event: string, listener: (params: never) => void): void
  off(event: string, listener: (params: never) => void): void
}

const HANDLE = '__leakCheckContainer'
const HAND_OVER = `function () { globalThis.${HANDLE} = this }`

export function openHeapInspector(): HeapInspector {
  const session = new inspector.Session()
  session.connect()

  function post(method: string, params?: object): unknown {
    let result: unknown
    // An in-process session calls back before post returns.
    session.post(method, params, function keepResult(_error, value) {
      result = value
    })
    return result
  }

  /** For what V8 does in a task of its own, when no JavaScript is on the stack. */
  function postAsync(method: 'HeapProfiler.collectGarbage'): Promise<void> {
    return new Promise(function runTask(resolve, reject) {
      session.post(method, (error) => (error ? reject(error) : resolve()))
    })
  }

  function numberLiveObjects(): void {
    // Starting what has been started collects and numbers again without ending anything.
    post('HeapProfiler.startTrackingHeapObjects', { trackAllocations: false })
  }

  function markBoundary(): number {
    // Numbered in one go, an object's number tells nothing about its age: the mark has to come after all others.
    numberLiveObjects()
    const { result } = post('Runtime.evaluate', { expression: '({})' }) as { result: { objectId: string } }
    numberLiveObjects()
    const { heapSnapshotObjectId } = post('HeapProfiler.getHeapObjectId', { objectId: result.objectId }) as {
      heapSnapshotObjectId: string
    }
    post('Runtime.releaseObject', { objectId: result.objectId })
    return Number(heapSnapshotObjectId)
  }

  async function takeSnapshot(): Promise<HeapGraph> {
    // Not the inspector's: it sends the same text as messages, each quoted and parsed again, which takes twice as long.
    return parseHeapSnapshot(await buffer(getHeapSnapshot()))
  }

  function callOn(objectId: number, declaration: string): void {
    const found = post('HeapProfiler.getObjectByHeapObjectId', { objectId: String(objectId) })
    if (found === undefined) return
    const { result } = found as { result: { objectId: string } }
    post('Runtime.callFunctionOn', { objectId: result.objectId, functionDeclaration: declaration })
    post('Runtime.releaseObject', { objectId: result.objectId })
  }

  return {
    markBoundary,
    takeSnapshot,
    runFinalizers: () => delay(0),
    collectEverything: () => postAsync('HeapProfiler.collectGarbage'),
    callOn,
    post,
    on: (event, listener) => void session.on(event, listener as never),
    off: (event, listener) => void session.off(event, listener as never)
  }
}

/** @returns the object itself, by V8's number of it; undefined for one that is V8's own */
export function fetchObject(heap: HeapInspector, objectId: number): unknown {
  heap.callOn(objectId, HAND_OVER)
  return takeHandle()
}

/** @returns all objects with this prototype, garbage that was not collected yet included */
export function fetchInstances(heap: HeapInspector, prototype: object): unknown[] {
  Reflect.set(globalThis, HANDLE, prototype)
  const { result } = heap.post('Runtime.evaluate', { expression: HANDLE }) as {
    result: { objectId: string }
  }
  const { objects } = heap.post('Runtime.queryObjects', { prototypeObjectId: result.objectId }) as {
    objects: { objectId: string }
  }
  heap.post('Runtime.callFunctionOn', { objectId: objects.objectId, functionDeclaration: HAND_OVER })
  for (const { objectId } of [result, objects]) heap.post('Runtime.releaseObject', { objectId })
  return takeHandle() as unknown[]
}

/** @returns what was handed over last, if anything */
function takeHandle(): unknown {
  const value = Reflect.get(globalThis, HANDLE)
  Reflect.deleteProperty(globalThis, HANDLE)
  return value
}
