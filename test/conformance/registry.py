"""Cases for the schema registry of confluent-kafka: registry.py BROKER REGISTRY NAME SCHEMAS CASE [ARGUMENTS]; prints ok at the end."""
import json
import os
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import (ConfigCompatibilityLevel, Metadata, MetadataProperties, Schema, SchemaReference, SchemaRegistryClient,
                                             SchemaRegistryError, ServerConfig, dual_schema_id_deserializer, header_schema_id_serializer, prefix_schema_id_serializer,
                                             record_subject_name_strategy)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

address, registry, name, schemas = sys.argv[1:5]
types = {"avro": "AVRO", "json": "JSON", "protobuf": "PROTOBUF", "nested": "PROTOBUF"}
endings = {"avro": "avsc", "json": "json", "protobuf": "proto", "nested": "proto"}
messages = {"protobuf": "shop.Order", "nested": "shop.Envelope.Sealed"}


def client(**more):
    return SchemaRegistryClient({"url": registry, **more})


def text(fmt, file):
    with open(os.path.join(schemas, f"{file}.{endings[fmt]}")) as f:
        return f.read()


def schema(fmt, file, **more):
    return Schema(text(fmt, file), types[fmt], **more)


def message(file, full):
    """The class of a message, from a descriptor set, in a pool of its own: each version has the same names."""
    files, pool = descriptor_pb2.FileDescriptorSet(), descriptor_pool.DescriptorPool()
    with open(os.path.join(schemas, f"{file}.desc"), "rb") as f:
        files.ParseFromString(f.read())
    for each in files.file:
        pool.Add(each)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full))


def serializer(sr, fmt, file, position="prefix", full=None, **conf):
    """A function from value, topic and headers to bytes."""
    conf = {k.replace("_", "."): v for k, v in conf.items()}
    conf["schema.id.serializer"] = header_schema_id_serializer if position == "header" else prefix_schema_id_serializer
    if fmt == "avro":
        return AvroSerializer(sr, None if conf.get("use.latest.version") else text(fmt, file), conf=conf)
    if fmt == "json":
        return JSONSerializer(None if conf.get("use.latest.version") else text(fmt, file), sr, conf=conf)
    kind = message(file, full or messages[fmt])
    inner = ProtobufSerializer(kind, sr, {"use.deprecated.format": False, **conf})
    return lambda value, ctx: inner(json_format.ParseDict(value, kind()), ctx)


def deserializer(sr, fmt, file, full=None):
    """A function from bytes to a value, read as the given version of the schema."""
    conf = {"schema.id.deserializer": dual_schema_id_deserializer}
    if fmt == "avro":
        return AvroDeserializer(sr, file and text(fmt, file), conf=conf)
    if fmt == "json":
        return JSONDeserializer(file and text(fmt, file), schema_registry_client=sr, conf=conf)
    inner = ProtobufDeserializer(message(file, full or messages[fmt]), {"use.deprecated.format": False, **conf}, sr)
    return lambda data, ctx: json_format.MessageToDict(inner(data, ctx), always_print_fields_with_no_presence=True)


def order(writer, i):
    return {"number": i, "customer": f"{writer} für {i}", "amount": i + 0.5, "parts": [f"part {p}" for p in range(i % 3)]}


def topic(suffix=""):
    full, admin = f"{name}{suffix}", AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(full, 1, 1)])[full].result()
    deadline = time.time() + 10
    while True:
        meta = admin.list_topics(full, timeout=10).topics[full]
        if meta.error is None and len(meta.partitions) == 1 and meta.partitions[0].leader >= 0:
            return full
        assert time.time() < deadline, f"{full} has no leader: {meta.error}"
        time.sleep(0.05)


def produce(full, serialize, values):
    failed = []
    p = Producer({"bootstrap.servers": address, "linger.ms": 1})
    for value in values:
        headers = []
        data = serialize(value, SerializationContext(full, MessageField.VALUE, headers))
        p.produce(full, data, headers=headers, on_delivery=lambda err, msg: failed.append(err) if err else None)
    assert p.flush(30) == 0 and not failed, failed


def consume(full, count):
    c = Consumer({"bootstrap.servers": address, "group.id": f"{name}-g", "enable.auto.commit": False})
    c.assign([TopicPartition(full, 0, 0)])
    out, deadline = [], time.time() + 30
    while len(out) < count:
        assert time.time() < deadline, f"{len(out)} of {count} records"
        m = c.poll(1.0)
        if m is not None:
            assert m.error() is None, m.error()
            out.append(m)
    c.close()
    return out


def values(records, deserialize):
    return [deserialize(m.value(), SerializationContext(m.topic(), MessageField.VALUE, m.headers() or [])) for m in records]


def equal(got, want, what):
    assert got == want, f"{what}: got {got}, want {want}"


def refused(status, codes, call, *args, **kwargs):
    try:
        got = call(*args, **kwargs)
    except SchemaRegistryError as e:
        assert e.http_status_code == status and e.error_code in codes and e.error_message, f"{e!r} instead of {status}, {codes}"
        return e
    raise AssertionError(f"{got} instead of {status}, {codes}")


def noted(fmt, note):
    """What the second version says of an old record's note."""
    return {"avro": {"note": note or "none"}, "json": {"note": note} if note else {}}.get(fmt, {"note": note})


def story(fmt, position):
    """Registers, writes, reads and evolves."""
    sr, full = client(), topic()
    subject, incompatible = f"{full}-value", (409, 40901)
    first = [order("python", i) for i in range(3)]
    produce(full, serializer(sr, fmt, "order-1", position), first)
    records = consume(full, 3)
    equal(values(records, deserializer(sr, fmt, "order-1")), first, "the first version's records")
    known = sr.get_latest_version(subject)
    shape(fmt, position, known, records[1])
    equal(sr.lookup_schema(subject, known.schema).version, 1, "look-up of what was registered")
    second = [{**order("python", i), "note": f"note {i}"} for i in range(3, 6)]
    assert sr.test_compatibility(subject, schema(fmt, "order-2")), "the second version is called incompatible"
    produce(full, serializer(sr, fmt, "order-2", position), second)
    equal(sr.get_versions(subject), [1, 2], "versions")
    equal(values(consume(full, 6), deserializer(client(), fmt, "order-2")), [{**v, **noted(fmt, "")} for v in first] + second, "all as the second version")
    assert not sr.test_compatibility(subject, schema(fmt, "order-3")), "the third version is called compatible"
    third = {**order("python", 9), "number": "9", "note": ""}
    e = refused(409, incompatible, produce, full, serializer(sr, fmt, "order-3", position), [third])
    assert "incompatible" in e.error_message, e
    refused(409, incompatible, sr.register_schema, subject, schema(fmt, "order-3"))
    refused(422, [42201], sr.register_schema, subject, Schema("{ nonsense", types[fmt]))
    equal(sr.delete_subject(subject), [1, 2], "deleted versions")
    refused(404, [40401], client().lookup_schema, subject, known.schema)
    refused(404, [40401], client().get_latest_version, subject)
    equal(client().get_schema(known.schema_id).schema_type, types[fmt], "a soft-deleted schema is still read")
    equal(values(consume(full, 6), deserializer(client(), fmt, "order-2"))[0]["number"], 0, "data of a deleted subject")
    again = serializer(client(), fmt, "order-1", position)
    produce(full, again, first[:1])
    last = client().get_latest_version(subject)
    equal((last.version, last.schema_id), (3, known.schema_id), "a soft-deleted schema registered again")


def shape(fmt, position, known, record):
    """The bytes in front of a record's payload, or in its header."""
    indexes = {"protobuf": b"\x00", "nested": b"\x04\x02\x00"}.get(fmt, b"")
    if position == "prefix":
        want = b"\x00" + known.schema_id.to_bytes(4, "big") + indexes
        assert record.value().startswith(want) and not record.headers(), (record.value(), want)
        return
    want = b"\x01" + bytes.fromhex(known.guid.replace("-", "")) + indexes
    equal(record.headers(), [("__value_schema_id", want)], "headers")
    assert not record.value().startswith(b"\x00" + known.schema_id.to_bytes(4, "big")), record.value()


def write(fmt, position, full, count):
    produce(full, serializer(client(), fmt, "order-1", position), [order("python", i) for i in range(int(count))])


def read(fmt, full, count):
    for value in values(consume(full, int(count)), deserializer(client(), fmt, "order-1")):
        print(json.dumps(value))


def references():
    """Named types of Avro, $ref of JSON Schema and imports of Protobuf; what is referred to cannot go."""
    for fmt in ("avro", "json"):
        sr, full = client(), topic(f"-{fmt}")
        part = {"avro": "shop.Customer", "json": "customer.json"}[fmt]
        sr.register_schema(f"{full}-customer", schema(fmt, "customer"))
        whole = schema(fmt, "sale", references=[SchemaReference(part, f"{full}-customer", 1)])
        value = {"number": 7, "buyer": {"name": "Ann", "town": "Ulm"}}
        if fmt == "avro":
            serialize, deserialize = AvroSerializer(sr, whole), AvroDeserializer(client())
        else:
            serialize, deserialize = JSONSerializer(whole, sr), JSONDeserializer(None, schema_registry_client=client())
        produce(full, serialize, [value])
        equal(values(consume(full, 1), deserialize), [value], f"{fmt} with a reference")
        referenced(sr, full, f"{full}-customer")
    sr, full = client(), topic("-protobuf")
    # The reference's subject is the import path; a prefix keeps runs apart.
    conf = {"reference_subject_name_strategy": lambda ctx, ref: f"{full}-{ref.name}"}
    value = {"number": 7, "buyer": {"name": "Ann", "town": "Ulm"}}
    produce(full, serializer(sr, "protobuf", "sale", full="shop.Sale", **conf), [value])
    equal(values(consume(full, 1), deserializer(client(), "protobuf", "sale", full="shop.Sale")), [value], "protobuf with an import")
    referenced(sr, full, f"{full}-customer.proto")


def referenced(sr, full, part):
    whole = sr.get_latest_version(f"{full}-value")
    equal([(r.subject, r.version) for r in whole.schema.references], [(part, 1)], "references")
    equal(sr.get_referenced_by(part, 1), [whole.schema_id], "referenced by")
    refused(422, [42206], sr.delete_subject, part)
    refused(422, [42206], sr.delete_version, part, 1)
    sr.delete_subject(f"{full}-value")
    equal(sr.delete_subject(part), [1], "a schema that nobody refers to any more")
    missing = Schema(whole.schema.schema_str, whole.schema.schema_type, references=[SchemaReference("x", f"{full}-nobody", 1)])
    refused(422, [42201], sr.register_schema, f"{full}-other", missing)


def latest():
    """Serializers that do not register: they ask for the latest version, or for the very schema."""
    for fmt in ("avro", "json", "protobuf"):
        sr, full = client(), topic(f"-{fmt}")
        subject = f"{full}-value"
        # The Protobuf serializer sends a descriptor with every type's full name; text is the same schema only in its normal form.
        given = {"auto_register_schemas": False, "normalize_schemas": True}
        refused(404, [40401], produce, full, serializer(sr, fmt, "order-1", **given), [order("python", 1)])
        sr.register_schema(subject, schema(fmt, "order-1"), normalize_schemas=True)
        version = sr.register_schema_full_response(subject, schema(fmt, "order-2"), normalize_schemas=True)
        # Python's Protobuf serializer needs a message anyway, which is of the first version here.
        produce(full, serializer(client(), fmt, "order-1", use_latest_version=True, **given), [{**order("python", 1), **({"note": "n"} if fmt != "protobuf" else {})}])
        equal(consume(full, 1)[0].value()[1:5], version.schema_id.to_bytes(4, "big"), f"{fmt}: the id of the latest version")
        produce(full, serializer(client(), fmt, "order-1", **given), [order("python", 2)])
        equal(consume(full, 2)[1].value()[1:5], sr.get_version(subject, 1).schema_id.to_bytes(4, "big"), f"{fmt}: the id of the very schema")
        refused(404, [40403], produce, full, serializer(client(), fmt, "order-3", **given), [{**order("python", 1), "number": "x", "note": ""}])
        equal(sr.get_versions(subject), [1, 2], "versions: nothing was registered")


def strategies():
    """Subjects named by record, and by topic and record; the default asks for an association first, which this registry has none of."""
    for fmt, record in (("avro", "shop.Order"), ("json", "Order"), ("protobuf", "shop.Order")):
        sr, full = client(), topic(f"-{fmt}")
        produce(full, serializer(sr, fmt, "order-1", subject_name_strategy_type="TOPIC_RECORD"), [order("python", 1)])
        equal(client().get_versions(f"{full}-{record}"), [1], f"{fmt}: the subject of topic and record")
        own = {"subject_name_strategy": lambda ctx, r: f"{full}.{record_subject_name_strategy(ctx, r)}"}
        produce(full, serializer(sr, fmt, "order-1", **own), [order("python", 2)])
        equal(client().get_versions(f"{full}.{record}"), [1], f"{fmt}: a subject of the program's own")
        produce(full, serializer(sr, fmt, "order-1", subject_name_strategy_type="ASSOCIATED"), [order("python", 0)])
        equal(client().get_versions(f"{full}-value"), [1], f"{fmt}: the subject without an association")
        equal([v["number"] for v in values(consume(full, 3), deserializer(client(), fmt, "order-1"))], [1, 2, 0], "what was written")


def administer():
    """Levels, modes, deletes, normalization, metadata: the client's every other call."""
    sr, s = client(), f"{name}-s"
    equal(sorted(sr.get_schema_types()), ["AVRO", "JSON", "PROTOBUF"], "types")
    for level in ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"):
        sr.set_compatibility(s, level)
        equal(sr.get_compatibility(s), level, "level")
    refused(422, [42203], sr.set_compatibility, s, "SIDEWARD")
    equal(sr.delete_config(s).compatibility_level, "FULL_TRANSITIVE", "the deleted level")
    refused(404, [40408], sr.get_config, s)
    equal(sr.get_compatibility(), "BACKWARD", "the level of all")
    one = sr.register_schema_full_response(s, schema("avro", "order-1"))
    equal(sr.register_schema(s, schema("avro", "order-1")), one.schema_id, "registered twice")
    equal(client().register_schema(f"{s}-other", schema("avro", "order-1")), one.schema_id, "in another subject")
    two = sr.register_schema_full_response(s, schema("avro", "order-2"))
    equal(sr.get_versions(s), [1, 2], "versions")
    equal(client().get_schema_by_guid(one.guid or client().get_version(s, 1).guid).schema_type, "AVRO", "by GUID")
    assert {s, f"{s}-other"} <= set(client().get_subjects_by_schema_id(one.schema_id, subject_name=s)), "subjects of an id"
    assert {(s, 1), (f"{s}-other", 1)} <= {(v.subject, v.version) for v in client().get_schema_versions(one.schema_id, subject_name=s)}, "versions of an id"
    assert s in client().get_subjects(subject_prefix=name), "the subject is not listed"
    # Forward: the old version has to read the new data, so a field without a default may not go.
    sr.set_compatibility(s, "FORWARD")
    gone = Schema(json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": [{"name": "number", "type": "int"}]}), "AVRO")
    assert not sr.test_compatibility(s, gone) and not sr.test_compatibility_all_versions(s, gone), "forward"
    refused(409, (409, 40901), sr.register_schema, s, gone)
    sr.set_compatibility(s, "NONE")
    sr.register_schema(s, gone)
    equal(sr.delete_version(s, 3), 3, "the deleted version")
    refused(404, [40402], client().get_version, s, 3)
    equal(client().get_version(s, 3, deleted=True).version, 3, "a soft-deleted version")
    refused(404, [40407], sr.delete_version, s, 1, permanent=True)
    equal(sr.delete_version(s, 3, permanent=True), 3, "the version deleted for good")
    refused(404, [40402], client().get_version, s, 3, deleted=True)
    refused(404, [40402], client().get_version, s, 9)
    refused(404, [40403], client().get_schema, 123456789)
    administer_modes(sr, s)
    administer_metadata(sr, s)
    refused(404, [40405], sr.delete_subject, s, permanent=True)
    equal(sr.delete_subject(s), [1, 2, 3], "deleted versions")
    refused(404, [40404], sr.delete_subject, s)
    equal(sr.delete_subject(s, permanent=True), [1, 2, 3], "versions deleted for good")
    refused(404, [40401], client().delete_subject, s)
    assert two.schema_id > one.schema_id


def administer_modes(sr, s):
    equal(sr.get_global_mode(), "READWRITE", "the mode of all")
    refused(404, [40409], sr.get_mode, s)
    equal(sr.update_mode(s, "READONLY"), "READONLY", "the new mode")
    refused(422, [42205], client().register_schema, s, Schema('"string"', "AVRO"))
    equal(sr.get_mode(s), "READONLY", "the mode")
    equal(sr.delete_mode(s), "READONLY", "the deleted mode")
    refused(422, [42204], sr.update_mode, s, "SOMETIMES")
    refused(422, [42205], sr.update_mode, s, "IMPORT")
    equal(sr.update_mode(f"{s}-import", "IMPORT"), "IMPORT", "import into an empty subject")
    sr.delete_mode(f"{s}-import")


def administer_metadata(sr, s):
    sr.set_config(s, ServerConfig(compatibility=ConfigCompatibilityLevel.BACKWARD, compatibility_group="major",
                                  default_metadata=Metadata(None, MetadataProperties({"owner": "shop"}), None)))
    config = sr.get_config(s)
    equal((config.compatibility_level, config.compatibility_group, config.default_metadata.properties.properties), ("BACKWARD", "major", {"owner": "shop"}), "settings")
    spaced = Schema(json.dumps({"fields": [{"type": "int", "name": "x"}], "name": "shop.Two", "type": "record"}, indent=2), "AVRO",
                    metadata=Metadata(None, MetadataProperties({"major": "2"}), None))
    sr.register_schema(s, spaced, normalize_schemas=True)
    equal(client().get_latest_version(s).schema.metadata.properties.properties, {"major": "2", "owner": "shop"}, "metadata with the subject's defaults")
    equal(json.loads(client().get_latest_with_metadata(s, {"major": "2"}).schema.schema_str)["name"].split(".")[-1], "Two", "the version of major 2")
    reordered = Schema('{"type":"record","namespace":"shop","name":"Two","fields":[{"name":"x","type":"int"}]}', "AVRO",
                       metadata=Metadata(None, MetadataProperties({"major": "2", "owner": "shop"}), None))
    equal(client().lookup_schema(s, reordered, normalize_schemas=True).version, sr.get_latest_version(s).version, "the same schema in other words")
    sr.delete_config(s)


def names():
    """Subjects that have to be escaped, and contexts in names and in the address."""
    for odd in ("a/b", "a b", "a:b", "ä€", "a%2Fb", "a?b#c", "a+b", "."):
        sr, s = client(), f"{name}{odd}"
        i = sr.register_schema(s, schema("avro", "order-1"))
        equal(client().get_latest_version(s).subject, s, "subject")
        equal(client().lookup_schema(s, schema("avro", "order-1")).schema_id, i, "id")
        assert s in client().get_subjects(), s
        sr.set_compatibility(s, "NONE")
        equal(sr.get_compatibility(s), "NONE", s)
        equal(sr.delete_subject(s), [1], s)
    context = f".{name}"
    inside, sr = SchemaRegistryClient({"url": f"{registry}/contexts/{context}"}), client()
    i = inside.register_schema("s", schema("json", "order-1"))
    equal(i, 1, "ids of a context begin at 1")
    equal(sr.get_latest_version(f":{context}:s").schema_id, 1, "by the qualified name")
    equal(inside.get_schema(1).schema_type, "JSON", "by id inside")
    equal(client().get_schema(1, subject_name=f":{context}:s").schema_type, "JSON", "by id with a subject of the context")
    assert context in sr.get_contexts(), "the context is not listed"
    inside.set_compatibility(level="NONE")
    equal(inside.get_compatibility(), "NONE", "the level of the context")
    equal(sr.get_compatibility(), "BACKWARD", "the level of all")
    inside.delete_config()
    full = topic()
    conf = {"subject_name_strategy": lambda ctx, record: f":{context}:{ctx.topic}-{ctx.field}"}
    produce(full, serializer(sr, "avro", "order-1", **conf), [order("python", 1)])
    read_conf = {"subject.name.strategy": lambda ctx, record: f":{context}:{ctx.topic}-{ctx.field}"}
    equal(values(consume(full, 1), AvroDeserializer(client(), conf=read_conf)), [order("python", 1)], "data with a schema in a context")


cases = {"story": story, "write": write, "read": read, "references": references, "latest": latest, "strategies": strategies,
         "administer": administer, "names": names}
cases[sys.argv[5]](*sys.argv[6:])
print("ok")
