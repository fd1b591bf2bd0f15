// Cases for the schema registry of the clients for Node: registry.js BROKER REGISTRY NAME SCHEMAS CASE [ARGUMENTS]; prints ok at the
// end. Records go through kafkajs, which both libraries work with.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { Kafka, Partitioners, logLevel } = require("kafkajs");
const sr = require("@confluentinc/schemaregistry");
const { SchemaRegistry, SchemaType } = require("@kafkajs/confluent-schema-registry");
const { create, createFileRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");

const [address, registry, name, schemas, what, ...given] = process.argv.slice(2);
const types = { avro: "AVRO", json: "JSON", protobuf: "PROTOBUF", nested: "PROTOBUF" };
const endings = { avro: "avsc", json: "json", protobuf: "proto", nested: "proto" };
const messages = { protobuf: "shop.Order", nested: "shop.Envelope.Sealed" };
const kafka = new Kafka({ clientId: name, brokers: [address], logLevel: logLevel.NOTHING });

const text = (format, file) => fs.readFileSync(path.join(schemas, `${file}.${endings[format]}`), "utf8");
const order = (writer, i) => ({ number: i, customer: `${writer} für ${i}`, amount: i + 0.5, parts: Array.from({ length: i % 3 }, (_, p) => `part ${p}`) });
const plain = (value) => JSON.parse(JSON.stringify(value));
const prefix = (id) => Buffer.from([0, id >> 24, id >> 16, id >> 8, id]).toString("hex");

async function topic(suffix = "") {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: name + suffix, numPartitions: 1, replicationFactor: 1 }] });
  await admin.disconnect();
  return name + suffix;
}

async function produce(full, records) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic: full, messages: records });
  await producer.disconnect();
}

// consume reads a topic from its start without a group's delays between the members: each call is a group of its own.
let groups = 0;
async function consume(full, count) {
  const consumer = kafka.consumer({ groupId: `${name}-${++groups}-${process.pid}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: full, fromBeginning: true });
  const records = [];
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${records.length} of ${count} records`)), 30000);
    consumer.run({
      eachMessage: async ({ message }) => {
        if (records.push(message) === count) {
          clearTimeout(late);
          resolve();
        }
      },
    }).catch(reject);
  });
  await consumer.disconnect();
  return records;
}

// refused demands an error with a status and one of the codes, as the library shows it.
async function refused(status, codes, call) {
  let got;
  try {
    got = await call();
  } catch (e) {
    assert.ok(e.status === status && codes.includes(e.errorCode) && e.message, `${e.status} ${e.errorCode} ${e.stack} instead of ${status} ${codes}`);
    return e;
  }
  assert.fail(`${JSON.stringify(got)} instead of ${status} ${codes}`);
}

// @confluentinc/schemaregistry: one serializer a format.
const client = (url = registry) => new sr.SchemaRegistryClient({ baseURLs: [url], cacheCapacity: 1000, cacheLatestTtlSecs: 0, maxRetries: 0 });
const info = (format, file, more = {}) => ({ schema: text(format, file), schemaType: types[format], ...more });

function message(file, type) {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(path.join(schemas, `${file}.desc`)))).getMessage(type);
}

// serializer is a function from value to a record. The libraries for Avro and JSON Schema take the schema that is registered.
async function serializer(format, file, position, full, type = messages[format]) {
  const c = client();
  const conf = { schemaIdSerializer: position === "header" ? sr.HeaderSchemaIdSerializer : sr.PrefixSchemaIdSerializer };
  if (format === "protobuf" || format === "nested") {
    const desc = message(file, type);
    const s = new sr.ProtobufSerializer(c, sr.SerdeType.VALUE, { ...conf, autoRegisterSchemas: true });
    s.registry.add(desc);
    return async (value) => record(s, full, create(desc, value));
  }
  await c.register(`${full}-value`, info(format, file));
  const kind = { avro: sr.AvroSerializer, json: sr.JsonSerializer }[format];
  const s = new kind(c, sr.SerdeType.VALUE, { ...conf, autoRegisterSchemas: false, useLatestVersion: true });
  return async (value) => record(s, full, value);
}

async function record(s, full, value) {
  const headers = {};
  const data = await s.serialize(full, value, headers);
  return { value: data, headers };
}

function deserializer(format, full, conf = {}) {
  const kind = { avro: sr.AvroDeserializer, json: sr.JsonDeserializer, protobuf: sr.ProtobufDeserializer, nested: sr.ProtobufDeserializer }[format];
  const d = new kind(client(), sr.SerdeType.VALUE, { schemaIdDeserializer: sr.DualSchemaIdDeserializer, ...conf });
  return async (r) => {
    const value = await d.deserialize(full, r.value, r.headers);
    return types[format] === "PROTOBUF" ? without(value) : plain(value);
  };
}

// without leaves out what Protobuf's messages carry beside their fields.
const without = (value) => Object.fromEntries(Object.entries(plain(value)).filter(([k]) => !k.startsWith("$")));

async function all(records, decode) {
  const out = [];
  for (const r of records) out.push(await decode(r));
  return out;
}

// What the second version says of an old record: Node's Avro and JSON readers resolve only to the version they are told to use.
const noted = { avro: { note: "none" }, json: {}, protobuf: {}, nested: {} };

// story registers, writes, reads and evolves with @confluentinc/schemaregistry.
async function story(format, position) {
  const full = await topic(), subject = `${full}-value`, c = client(), incompatible = [409, 40901];
  const first = [0, 1, 2].map((i) => order("node", i));
  const write1 = await serializer(format, "order-1", position, full);
  await produce(full, await all(first, write1));
  const records = await consume(full, 3);
  assert.deepEqual(await all(records, deserializer(format, full)), first);
  const known = await c.getLatestSchemaMetadata(subject);
  shape(format, position, known, records[1]);
  assert.equal(await client().getId(subject, { schema: known.schema, schemaType: types[format] }), known.id);
  assert.equal(await c.testSubjectCompatibility(subject, info(format, "order-2")), true);
  const second = [3, 4].map((i) => ({ ...order("node", i), note: `note ${i}` }));
  await produce(full, await all(second, await serializer(format, "order-2", position, full)));
  assert.deepEqual(await client().getAllVersions(subject), [1, 2]);
  const conf = types[format] === "PROTOBUF" ? {} : { useLatestVersion: true };
  assert.deepEqual(await all(await consume(full, 5), deserializer(format, full, conf)), [...first.map((v) => ({ ...v, ...noted[format] })), ...second]);
  assert.equal(await c.testSubjectCompatibility(subject, info(format, "order-3")), false);
  await refused(409, incompatible, async () => (await serializer(format, "order-3", position, full))({ ...order("node", 9), number: "9", note: "" }));
  await refused(409, incompatible, () => c.register(subject, info(format, "order-3")));
  await refused(422, [42201], () => c.register(subject, { schema: "{ nonsense", schemaType: types[format] }));
  assert.deepEqual(await c.deleteSubject(subject), [1, 2]);
  await refused(404, [40401], () => client().getId(subject, info(format, "order-1")));
  await refused(404, [40401], () => client().getLatestSchemaMetadata(subject));
  assert.equal((await all(await consume(full, 5), deserializer(format, full)))[0].number, 0);
}

function shape(format, position, known, r) {
  const indexes = { protobuf: "00", nested: "040200" }[format] ?? "";
  if (position === "prefix") {
    assert.ok(r.value.toString("hex").startsWith(prefix(known.id) + indexes), r.value.toString("hex"));
    assert.deepEqual(Object.keys(r.headers), []);
    return;
  }
  assert.equal(r.headers.__value_schema_id.toString("hex"), "01" + known.guid.replaceAll("-", "") + indexes);
  assert.ok(!r.value.toString("hex").startsWith(prefix(known.id)));
}

async function write(format, position, full, count) {
  const s = await serializer(format, "order-1", position, full);
  await produce(full, await all([...Array(+count).keys()].map((i) => order("node", i)), s));
}

async function read(format, full, count) {
  for (const value of await all(await consume(full, +count), deserializer(format, full))) console.log(JSON.stringify(value));
}

// references: named types of Avro, $ref of JSON Schema, imports of Protobuf.
async function references() {
  for (const [format, part] of [["avro", "shop.Customer"], ["json", "customer.json"], ["protobuf", "customer.proto"]]) {
    const full = await topic(`-${format}`), c = client();
    const value = { number: 7, buyer: { name: "Ann", town: "Ulm" } };
    // Protobuf's serializer registers imports under their path, which is one subject for all runs.
    const subject = format === "protobuf" ? part : `${full}-customer`;
    let write;
    if (format === "protobuf") {
      write = await serializer(format, "sale", "prefix", full, "shop.Sale");
    } else {
      await c.register(subject, info(format, "customer"));
      await c.register(`${full}-value`, info(format, "sale", { references: [{ name: part, subject, version: 1 }] }));
      const kind = { avro: sr.AvroSerializer, json: sr.JsonSerializer }[format];
      const s = new kind(c, sr.SerdeType.VALUE, { autoRegisterSchemas: false, useLatestVersion: true });
      write = (v) => record(s, full, v);
    }
    const sent = format === "avro" ? { number: 7, buyer: { name: "Ann", town: { string: "Ulm" } } } : value;
    await produce(full, [await write(sent).catch(() => write(value))]);
    const [got] = await all(await consume(full, 1), deserializer(format, full));
    assert.equal(got.number, 7);
    assert.equal(got.buyer.name, "Ann");
    const whole = await client().getLatestSchemaMetadata(`${full}-value`);
    assert.deepEqual(whole.references.map((r) => [r.name, r.subject]), [[part, subject]]);
    await refused(422, [42206], () => c.deleteSubject(subject));
    await c.deleteSubject(`${full}-value`);
  }
}

// administer asks the client's other calls.
async function administer() {
  const c = client(), s = `${name}-s`;
  for (const level of ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"]) {
    await c.updateCompatibility(s, level);
    assert.equal(await c.getCompatibility(s), level);
  }
  await refused(422, [42203], () => c.updateCompatibility(s, "SIDEWARD"));
  await refused(404, [40408], () => c.getCompatibility(`${s}-nobody`));
  assert.equal(await c.getDefaultCompatibility(), "BACKWARD");
  await c.updateConfig(s, { compatibilityLevel: "BACKWARD", normalize: true, compatibilityGroup: "major", defaultMetadata: { properties: { owner: "shop" } } });
  const config = await c.getConfig(s);
  assert.deepEqual([config.compatibilityLevel, config.normalize, config.compatibilityGroup, config.defaultMetadata.properties.owner], ["BACKWARD", true, "major", "shop"]);
  assert.equal((await c.getDefaultConfig()).compatibilityLevel, "BACKWARD");
  const one = await c.registerFullResponse(s, info("avro", "order-1"));
  assert.deepEqual((await c.getLatestWithMetadata(s, { owner: "shop" }, false)).version, 1);
  assert.equal((await client().getByGuid(one.guid)).schema, (await client().getBySubjectAndId(s, one.id)).schema);
  await c.updateCompatibility(s, "NONE");
  await c.register(s, info("json", "order-1"));
  assert.equal((await client().getSchemaMetadata(s, 2)).schemaType, "JSON");
  await refused(404, [40402], () => client().getSchemaMetadata(s, 9));
  await refused(404, [40403], () => client().getBySubjectAndId(s, 123456789));
  await refused(404, [40403], () => client().getId(s, info("json", "order-2"), false));
  assert.equal(await c.testCompatibility(s, 2, info("json", "order-3")), true);
  assert.equal(await c.deleteSubjectVersion(s, 2), 2);
  await refused(404, [40406], () => client().deleteSubjectVersion(s, 2));
  assert.equal((await client().getSchemaMetadata(s, 2, true)).version, 2);
  assert.equal(await c.deleteSubjectVersion(s, 2, true), 2);
  assert.ok((await c.getAllSubjects()).includes(s));
  await refused(404, [40405], () => c.deleteSubject(s, true));
  await c.deleteSubject(s);
  await c.deleteSubject(s, true);
  assert.ok(!(await c.getAllSubjects()).includes(s));
  for (const odd of ["a/b", "a b", "a:b", "ä€", "a%2Fb", "a?b#c", "a+b"]) {
    assert.ok((await c.register(name + odd, info("avro", "order-1"))) > 0);
    assert.equal((await client().getLatestSchemaMetadata(name + odd)).subject, name + odd);
    assert.deepEqual(await c.deleteSubject(name + odd), [1]);
  }
  const context = `.${name}`, inside = client(`${registry}/contexts/${context}`);
  assert.equal(await inside.register("s", info("json", "order-1")), 1);
  assert.equal((await client().getLatestSchemaMetadata(`:${context}:s`)).id, 1);
}

// kafkajs: @kafkajs/confluent-schema-registry, with a schema's id at hand.
const kjs = (more) => new SchemaRegistry({ host: registry, retry: { retries: 0 } }, more);
const kjsSchema = (format, file, more = {}) => ({ type: SchemaType[types[format]], schema: text(format, file), ...more });
const kjsOptions = (format) => ({ [SchemaType.PROTOBUF]: { messageName: { protobuf: "Order", nested: "Envelope.Sealed" }[format] } });

// kjsStory: register, write, read and evolve. The library shows the registry's status and message, and no code.
async function kjsStory(format) {
  const full = await topic(), subject = `${full}-value`, k = kjs(kjsOptions(format)), c = client();
  const one = await k.register(kjsSchema(format, "order-1"), { subject });
  assert.equal(await c.getCompatibility(subject), "BACKWARD"); // it sets the level of a subject it has made
  const first = [0, 1, 2].map((i) => order("kafkajs", i));
  await produce(full, await all(first, async (v) => ({ value: await k.encode(one.id, v) })));
  const records = await consume(full, 3);
  assert.ok(records.every((r) => r.value.toString("hex").startsWith(prefix(one.id))));
  const decode = async (r) => plain({ parts: [], ...(await kjs(kjsOptions(format)).decode(r.value)) });
  // Numbers and texts that are zero are left out by its Protobuf decoder's JSON.
  assert.deepEqual((await all(records, decode)).slice(1), first.slice(1));
  assert.equal(await k.getLatestSchemaId(subject), one.id);
  assert.equal(await k.getRegistryId(subject, 1), one.id);
  assert.equal(await k.getRegistryIdBySchema(subject, kjsSchema(format, "order-1")), one.id);
  const two = await k.register(kjsSchema(format, "order-2"), { subject });
  assert.deepEqual(await c.getAllVersions(subject), [1, 2]);
  const noted = { ...order("kafkajs", 4), note: "n" };
  await produce(full, [{ value: await k.encode(two.id, noted) }]);
  assert.deepEqual(await decode((await consume(full, 4))[3]), noted);
  if (format === "avro") {
    const old = await k.decode(records[1].value, { [SchemaType.AVRO]: { readerSchema: JSON.parse(text(format, "order-2")) } });
    assert.equal(old.note, "none");
  }
  const e = await k.register(kjsSchema(format, "order-3"), { subject }).catch((e) => e);
  assert.ok(e.status === 409 && /incompatible/.test(e.message), `${e.status} ${e.message}`);
  const missing = await k.getLatestSchemaId(`${full}-nobody`).catch((e) => e);
  assert.ok(missing.status === 404 && missing.message.includes("nobody"), `${missing.status} ${missing.message}`);
  await c.deleteSubject(subject);
  const gone = await kjs().getRegistryIdBySchema(subject, kjsSchema(format, "order-1")).catch((e) => e);
  assert.ok(gone.name === "ConfluentSchemaRegistryError" && gone.message.includes(subject), `${gone.name} ${gone.message}`);
  assert.equal((await decode(records[1])).number, 1); // by an id whose subject is deleted
}

async function kjsWrite(format, full, count) {
  const k = kjs(kjsOptions(format));
  const { id } = await k.register(kjsSchema(format, "order-1"), { subject: `${full}-value` });
  await produce(full, await all([...Array(+count).keys()].map((i) => order("kafkajs", i)), async (v) => ({ value: await k.encode(id, v) })));
}

async function kjsRead(format, full, count) {
  const k = kjs(kjsOptions(format));
  for (const r of await consume(full, +count)) console.log(JSON.stringify({ number: 0, parts: [], ...(await k.decode(r.value)) }));
}

// kjsReferences: the library reads what a schema refers to by itself.
async function kjsReferences() {
  for (const [format, part] of [["avro", "shop.Customer"], ["json", "customer.json"], ["protobuf", "customer.proto"]]) {
    const s = `${name}-${format}`, k = kjs({ [SchemaType.PROTOBUF]: { messageName: "Sale" } });
    await kjs().register(kjsSchema(format, "customer"), { subject: `${s}-customer` });
    const whole = await k.register(kjsSchema(format, "sale", { references: [{ name: part, subject: `${s}-customer`, version: 1 }] }), { subject: s });
    const value = { number: 7, buyer: { name: "Ann", town: "Ulm" } };
    const data = await k.encode(whole.id, value);
    assert.deepEqual(plain(await kjs({ [SchemaType.PROTOBUF]: { messageName: "Sale" } }).decode(data)), value);
  }
}

const cases = { story, write, read, references, administer, "kafkajs-story": kjsStory, "kafkajs-write": kjsWrite, "kafkajs-read": kjsRead, "kafkajs-references": kjsReferences };
cases[what](...given).then(() => console.log("ok"), (e) => {
  console.log(e);
  process.exitCode = 1;
});
