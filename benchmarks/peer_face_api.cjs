// face-api.js' 68 points, large ("68") or tiny ("68 tiny"), on TensorFlow.js' WebAssembly backend, one thread: the fastest one that
// installs from npm alone. Speaks the protocol that peer_worker.py describes. Runs where node_modules is (see peer_runs.py).
const fs = require('fs')
const path = require('path')
const { createRequire } = require('module')

const load = createRequire(path.join(process.cwd(), 'package.json'))
const tf = load('@tensorflow/tfjs')
const wasm = load('@tensorflow/tfjs-backend-wasm')
const faceapi = load('@vladmandic/face-api/dist/face-api.node-wasm.js')

const POINTS = 68
const [facesFolder, jobFolder] = process.argv.slice(2)

const milliseconds = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1000 }

// The square of a crop, black beyond the image's border.
function cut (face, pixels, [scale, up]) {
  if (!scale) return { x: 0, y: 0, tensor: tf.tensor3d(pixels.subarray(face.start, face.start + 3 * face.width * face.height), [face.height, face.width, 3], 'int32') }
  const [left, top, right, bottom] = face.box
  const wanted = scale * (right - left + bottom - top) / 2
  const side = Math.max(1, Math.round(wanted))
  const x = Math.round((left + right - wanted) / 2)
  const y = Math.round((top + bottom - wanted) / 2 - up * (bottom - top))
  const crop = new Uint8Array(side * side * 3)
  const from = Math.max(0, x)
  const to = Math.min(face.width, x + side)
  for (let row = Math.max(0, y); row < Math.min(face.height, y + side) && from < to; row++) {
    const start = face.start + 3 * (row * face.width + from)
    crop.set(pixels.subarray(start, start + 3 * (to - from)), 3 * ((row - y) * side + from - x))
  }
  return { x, y, tensor: tf.tensor3d(crop, [side, side, 3], 'int32') }
}

async function main () {
  const job = JSON.parse(fs.readFileSync(path.join(jobFolder, 'job.json')))
  const faces = JSON.parse(fs.readFileSync(path.join(facesFolder, 'faces.json')))
  const pixels = fs.readFileSync(path.join(facesFolder, 'pixels.bin'))
  const modules = path.join(process.cwd(), 'node_modules')
  wasm.setThreadsCount(1)
  wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'))
  await tf.setBackend('wasm')
  await tf.ready()

  const [net, file] = job.model === '68 tiny'
    ? [faceapi.nets.faceLandmark68TinyNet, 'face_landmark_68_tiny_model']
    : [faceapi.nets.faceLandmark68Net, 'face_landmark_68_model']
  const folder = path.join(modules, '@vladmandic/face-api/model')
  await net.loadFromDisk(folder)
  let network = NaN
  const run = net.runNet.bind(net)
  net.runNet = (input) => { const start = milliseconds(); const out = run(input); network = milliseconds() - start; return out }

  const points = new Float32Array(job.crops.length * faces.length * POINTS * 2)
  const times = new Float32Array(job.crops.length * job.rounds * faces.length * 2)
  let p = 0
  let t = 0
  for (const crop of job.crops) {
    for (let round = 0; round < job.rounds; round++) {
      p -= round ? faces.length * POINTS * 2 : 0
      for (const face of faces) {
        const start = milliseconds()
        const { x, y, tensor } = cut(face, pixels, crop)
        const found = await net.detectLandmarks(tensor)
        tensor.dispose()
        times[t++] = milliseconds() - start
        times[t++] = network
        for (const place of found.positions) { // a place of 0 is the crop's border, half a pixel before the first one's center
          points[p++] = x + place.x - 0.5
          points[p++] = y + place.y - 0.5
        }
      }
    }
  }
  fs.writeFileSync(path.join(jobFolder, 'points.f32'), points)
  fs.writeFileSync(path.join(jobFolder, 'times.f32'), times)
  const peak = fs.existsSync('/proc/self/status') && /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'latin1'))
  const answer = {
    version: `@vladmandic/face-api ${faceapi.version}, tfjs ${tf.version.tfjs} wasm, node ${process.version}`,
    weights: [path.join(folder, `${file}.bin`), path.join(folder, `${file}-weights_manifest.json`)],
    peak_mb: peak ? Number(peak[1]) / 1024 : null
  }
  fs.writeFileSync(path.join(jobFolder, 'answer.json'), JSON.stringify(answer))
}

main().catch((error) => { console.error(error); process.exit(1) })
