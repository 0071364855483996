// mqtt.js with mqtt-level-store. Accepted is what the store has taken (cbStorePut).
const mqtt = require('mqtt')
const levelStore = require('mqtt-level-store')

const SIZE = 600
const events = Number(process.env.SAF_N)
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
let padding = ''
for (let k = 0, x = 5; k < 65536; k++) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0
  padding += letters[x >>> 26]
}

function body (number) {
  const event = {
    seq: number, ts: 1790000000000 + number, site: 'north', gate: 'gate-1',
    type: 'visit.admitted', credential: '04A2' + number.toString(16).padStart(8, '0'),
    outcome: 'admit', padding: ''
  }
  const begin = number * 397 % 64000
  event.padding = padding.slice(begin, begin + SIZE - JSON.stringify(event).length)
  return Buffer.from(JSON.stringify(event))
}

async function main () {
  const store = levelStore(process.env.SAF_DIR + '/level')
  const client = mqtt.connect({
    host: process.env.SAF_HOST, port: Number(process.env.SAF_PORT), clientId: 'edge', clean: false,
    reconnectPeriod: 1000, incomingStore: store.incoming, outgoingStore: store.outgoing
  })
  client.on('error', error => console.error(error.message))
  console.log('READY')
  let accepted = 0
  const cbStorePut = () => { if (++accepted === events) console.log('ACCEPTED ' + accepted) }
  for (let number = 0; number < events; number++) {
    client.publish(process.env.SAF_TOPIC, body(number), { qos: 1, cbStorePut }, () => {})
    if (number % 200 === 199) await new Promise(resolve => setImmediate(resolve))
  }
}

main()
setInterval(() => {}, 1000)
