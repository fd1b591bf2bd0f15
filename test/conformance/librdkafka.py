"""Cases for librdkafka of today: librdkafka.py ADDRESS NAME CASE [ARGUMENTS]; prints ok at the end."""
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, AlterConfigOpType, NewPartitions, NewTopic, ResourceType, OffsetSpec

address, name = sys.argv[1], sys.argv[2]
base = {"bootstrap.servers": address}
admin = AdminClient(base)


def topic(suffix, partitions=1, **config):
    full = f"{name}-{suffix}"
    admin.create_topics([NewTopic(full, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})])[full].result()
    deadline = time.time() + 10
    while True:
        meta = admin.list_topics(full, timeout=10).topics[full]
        if meta.error is None and len(meta.partitions) == partitions and all(p.leader >= 0 for p in meta.partitions.values()):
            return full
        assert time.time() < deadline, f"{full} has no leader: {meta.error}"
        time.sleep(0.05)


def produce(full, values, **config):
    errors = []
    p = Producer({**base, "enable.idempotence": True, "linger.ms": 5, **config})
    for i, v in enumerate(values):
        p.produce(full, v, key=str(i), on_delivery=lambda err, msg: errors.append(err) if err else None)
        p.poll(0)
    assert p.flush(30) == 0, "records were not answered within 30 s"
    assert not errors, errors[:3]


def consume(full, count, group, **config):
    c = Consumer({**base, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **config})
    c.subscribe([full])
    out, deadline = [], time.time() + 30
    while len(out) < count:
        assert time.time() < deadline, f"{len(out)} of {count} records"
        m = c.poll(1.0)
        if m is None:
            continue
        assert m.error() is None, m.error()
        out.append(m)
    c.commit(asynchronous=False)
    c.close()
    return out


def codecs():
    lines = [f"line {i} of a text that compresses and compresses" for i in range(3000)]
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        full = topic(codec)
        produce(full, lines, **{"compression.type": codec})
        got = [m.value().decode() for m in consume(full, len(lines), f"{full}-g")]
        assert got == lines, f"{codec}: {len(got)} records, first difference at {[a == b for a, b in zip(got, lines)].index(False)}"


def headers():
    full = topic("h")
    p = Producer(base)
    p.produce(full, None, key=b"k", headers=[("a", b"1"), ("a", None), ("b", b"")], timestamp=1500000000001)
    p.produce(full, b"", key=None)
    assert p.flush(30) == 0
    a, b = consume(full, 2, f"{full}-g")
    assert a.value() is None and a.key() == b"k" and a.headers() == [("a", b"1"), ("a", None), ("b", b"")], (a.value(), a.key(), a.headers())
    assert a.timestamp() == (1, 1500000000001), a.timestamp()
    assert b.value() == b"" and b.key() is None and b.headers() is None, (b.value(), b.key(), b.headers())


def group(strategy):
    full, count = topic("g", 4), {}
    produce(full, [f"{i}" for i in range(400)])
    config = {**base, "group.id": f"{full}-g", "auto.offset.reset": "earliest", "partition.assignment.strategy": strategy, "heartbeat.interval.ms": 200,
              "session.timeout.ms": 10000, "enable.auto.commit": True, "auto.commit.interval.ms": 200}
    seen = set()

    def poll(*members, until):
        deadline = time.time() + 20
        while not until():
            assert time.time() < deadline, [[(p.partition) for p in m.assignment()] for m in members]
            for m in members:
                msg = m.poll(0.05)
                if msg is not None and msg.error() is None:
                    seen.add((msg.partition(), msg.offset()))

    def share(*members):
        parts = [p.partition for m in members for p in m.assignment()]
        return sorted(parts) == [0, 1, 2, 3] and all(len(m.assignment()) == 4 // len(members) for m in members)

    a = Consumer(config)
    a.subscribe([full])
    poll(a, until=lambda: share(a))
    b = Consumer(config)
    b.subscribe([full])
    poll(a, b, until=lambda: share(a, b))
    produce(full, [f"{i}" for i in range(400)])
    poll(a, b, until=lambda: len(seen) == 800)
    a.close()
    poll(b, until=lambda: share(b))
    produce(full, [f"{i}" for i in range(400)])
    poll(b, until=lambda: len(seen) == 1200)
    b.close()


def admin_calls():
    full = topic("a", 2, retention_ms="5000000")
    res = ConfigResource(ResourceType.TOPIC, full)
    got = admin.describe_configs([res])[res].result()
    assert got["retention.ms"].value == "5000000" and len(got) > 25, (got["retention.ms"], len(got))
    res = ConfigResource(ResourceType.TOPIC, full, incremental_configs=[ConfigEntry("retention.ms", "6000000", incremental_operation=AlterConfigOpType.SET)])
    admin.incremental_alter_configs([res])[res].result()
    admin.create_partitions([NewPartitions(full, 3)])[full].result()
    deadline = time.time() + 10
    while len(admin.list_topics(full, timeout=10).topics[full].partitions) != 3:
        assert time.time() < deadline
        time.sleep(0.05)
    cluster = admin.describe_cluster().result()
    assert len(cluster.nodes) == 1 and cluster.cluster_id, cluster
    produce(full, ["a", "b", "c"], partitioner="random")
    consume(full, 3, f"{full}-g")
    assert f"{full}-g" in [g.group_id for g in admin.list_consumer_groups().result().valid]
    described = admin.describe_consumer_groups([f"{full}-g"])[f"{full}-g"].result()
    assert described.state.name == "EMPTY" and not described.members, described.state
    admin.delete_consumer_groups([f"{full}-g"])[f"{full}-g"].result()
    tp = TopicPartition(full, 0)
    assert admin.list_offsets({tp: OffsetSpec.earliest()})[tp].result().offset == 0
    admin.delete_topics([full])[full].result()


def expect(code, call):
    try:
        call()
    except KafkaException as e:
        assert e.args[0].code() == code, f"{e.args[0]} instead of {code}"
        return
    raise AssertionError(f"no error instead of {code}")


def errors():
    full = topic("e", 1, max_message_bytes="1000")
    failed = []
    p = Producer({**base, "message.max.bytes": 2000000})
    p.produce(full, b"x" * 5000, on_delivery=lambda err, msg: failed.append(err))
    assert p.flush(30) == 0
    assert [e.code() for e in failed] == [KafkaError.MSG_SIZE_TOO_LARGE], failed
    expect(KafkaError.TOPIC_ALREADY_EXISTS, lambda: admin.create_topics([NewTopic(full, 1, 1)])[full].result())
    expect(KafkaError.INVALID_REPLICATION_FACTOR, lambda: admin.create_topics([NewTopic(full + "r", 1, 3)])[full + "r"].result())
    expect(KafkaError.TOPIC_EXCEPTION, lambda: admin.create_topics([NewTopic("a/b", 1, 1)])["a/b"].result())
    expect(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: admin.delete_topics([full + "none"])[full + "none"].result())
    expect(KafkaError.INVALID_CONFIG, lambda: admin.create_topics([NewTopic(full + "c", 1, 1, config={"no.such": "1"})])[full + "c"].result())
    c = Consumer({**base, "group.id": f"{full}-g", "allow.auto.create.topics": False})
    c.subscribe([full + "none"])
    deadline = time.time() + 20
    while True:
        m = c.poll(1.0)
        if m is not None:
            assert m.error() is not None and m.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART, m.error()
            break
        assert time.time() < deadline, "an unknown topic is not reported"
    c.close()


def times():
    full = topic("t")
    p = Producer(base)
    now = int(time.time() * 1000)
    for i in range(5):
        p.produce(full, str(i), timestamp=now + 1000 * i)
    assert p.flush(30) == 0
    c = Consumer({**base, "group.id": f"{full}-g"})
    for ts, want in [(now, 0), (now + 1500, 2), (now + 4000, 4), (now + 4001, -1)]:
        got = c.offsets_for_times([TopicPartition(full, 0, ts)], timeout=10)[0].offset
        assert got == want, f"timestamp +{ts - now}: offset {got}, want {want}"
    assert c.get_watermark_offsets(TopicPartition(full, 0), timeout=10) == (0, 5)
    c.close()


{"codecs": codecs, "headers": headers, "group": group, "admin": admin_calls, "errors": errors, "times": times}[sys.argv[3]](*sys.argv[4:])
print("ok")
