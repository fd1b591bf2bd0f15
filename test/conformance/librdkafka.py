"""Cases for librdkafka of today: librdkafka.py ADDRESS NAME CASE [ARGUMENTS]; prints ok at the end."""
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
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
    count = sum(c.result().offset for c in admin.list_offsets({TopicPartition(full, i): OffsetSpec.latest() for i in range(3)}).values())
    assert count == 3, count
    assert admin.list_offsets({tp: OffsetSpec.earliest()})[tp].result().offset == 0
    one = topic("o")
    produce(one, ["a", "b", "c"])
    tp = TopicPartition(one, 0)
    newest = admin.list_offsets({tp: OffsetSpec.max_timestamp()})[tp].result()
    assert newest.timestamp > 0 and 0 <= newest.offset < 3, newest
    assert admin.list_offsets({tp: OffsetSpec.for_timestamp(1)})[tp].result().offset == 0
    assert admin.delete_records([TopicPartition(one, 0, 2)])[tp].result().low_watermark == 2
    assert admin.list_offsets({tp: OffsetSpec.earliest()})[tp].result().offset == 2
    described = admin.describe_topics(TopicCollection([one]))[one].result()
    assert [p.id for p in described.partitions] == [0] and described.partitions[0].leader is not None, described.partitions
    group_id = f"{one}-g"
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id, [TopicPartition(one, 0, 1)])])[group_id].result()
    held = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id)])[group_id].result()
    assert [(tp.topic, tp.partition, tp.offset) for tp in held.topic_partitions] == [(one, 0, 1)], held.topic_partitions
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


def over_tls(ca, full, value):
    """One record through an encrypted listener, there and back."""
    secure = {"security.protocol": "ssl", "ssl.ca.location": ca}
    p = Producer({**base, **secure})
    failed = []
    p.produce(full, value, on_delivery=lambda err, msg: failed.append(err))
    assert p.flush(30) == 0 and failed == [None], failed
    c = Consumer({**base, **secure, "group.id": f"{name}-g", "auto.offset.reset": "earliest"})
    c.subscribe([full])
    deadline, got = time.time() + 20, []
    while value not in got:
        assert time.time() < deadline, got
        m = c.poll(1.0)
        if m is not None:
            assert m.error() is None, m.error()
            got.append(m.value().decode())
    c.close()


def refusals():
    """What a producer is told: a time that the topic does not take, a partition and a topic that are not there."""
    full = topic("r", 1, message_timestamp_before_max_ms="60000", message_timestamp_after_max_ms="60000")
    told = []
    p = Producer({**base, "allow.auto.create.topics": False})
    now = int(time.time() * 1000)
    for shift in (-3600000, 3600000, 0):
        p.produce(full, b"x", timestamp=now + shift, on_delivery=lambda err, msg: told.append(err.code() if err else 0))
        assert p.flush(30) == 0
    assert told == [KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_TIMESTAMP, 0], told
    try:
        p.produce(full, b"x", partition=7)
        told.append(None)
        p.flush(30)
    except KafkaException as e:
        assert e.args[0].code() == KafkaError._UNKNOWN_PARTITION, e
    c = Consumer({**base, "group.id": f"{full}-g", "auto.offset.reset": "error"})
    c.assign([TopicPartition(full, 0, 1000)])
    deadline = time.time() + 20
    while True:
        m = c.poll(1.0)
        if m is not None:
            assert m.error() is not None and m.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), (m.error(), m.value())
            break
        assert time.time() < deadline, "an offset out of range is not reported"
    c.close()


def transactional(advertised):
    """Where transactions are not advertised, a transactional id is refused for good, and soon."""
    p = Producer({**base, "transactional.id": name})
    began = time.time()
    try:
        p.init_transactions(30)
    except KafkaException as e:
        took, error = time.time() - began, e.args[0]
        assert advertised == "no", error
        assert took < 10 and not error.retriable(), f"after {took:.1f} s: {error}, retriable {error.retriable()}"
        print(f"refused after {took:.1f} s, fatal {error.fatal()}: {error}")
        return
    assert advertised == "yes", "a transactional id is granted"
    full = topic("tx")
    p.begin_transaction()
    p.produce(full, b"in a transaction")
    p.commit_transaction(30)
    assert [m.value() for m in consume(full, 1, f"{full}-g", **{"isolation.level": "read_committed"})] == [b"in a transaction"]


def static_members():
    """A static member that goes and comes back keeps its partitions, and the other one does not move."""
    full = topic("s", 4)
    config = {**base, "group.id": f"{full}-g", "partition.assignment.strategy": "range", "heartbeat.interval.ms": 200, "session.timeout.ms": 30000}
    moves = {"a": 0, "b": 0}

    def member(instance):
        def moved(consumer, partitions):
            moves[instance] += 1
        c = Consumer({**config, "group.instance.id": f"{full}-{instance}"})
        c.subscribe([full], on_assign=moved)
        return c

    def settle(*members):
        deadline = time.time() + 20
        while not all(len(m.assignment()) == 2 for m in members):
            assert time.time() < deadline, [m.assignment() for m in members]
            for m in members:
                m.poll(0.05)

    a, b = member("a"), member("b")
    settle(a, b)
    before, moved = sorted(tp.partition for tp in b.assignment()), moves["a"]
    b.close()
    b = member("b")
    settle(a, b)
    assert sorted(tp.partition for tp in b.assignment()) == before, (b.assignment(), before)
    for _ in range(20):
        a.poll(0.05)
    assert moves["a"] == moved, "the member that stayed was moved"
    a.close()
    b.close()


def write(full, *codecs):
    """Ten records in each codec, for other clients to read."""
    for codec in codecs:
        produce(full, [f"python {codec} {i}" for i in range(10)], **{"compression.type": codec})


def read(full, count):
    """All values of a topic, sorted, one a line."""
    print("\n".join(sorted(m.value().decode() for m in consume(full, int(count), f"{full}-python"))))


def through_kill(full, count, rate):
    """Idempotent, five requests in flight, while the broker is killed and comes back: prints each acknowledged value."""
    refused = []

    def answered(err, msg):
        if err:
            refused.append(err)
        else:
            print(msg.value().decode(), flush=True)
    p = Producer({**base, "enable.idempotence": True, "acks": "all", "max.in.flight.requests.per.connection": 5, "linger.ms": 1,
                  "message.timeout.ms": 60000, "queue.buffering.max.messages": 1000000, "reconnect.backoff.max.ms": 500,
                  "debug": "broker,topic,metadata,eos"})
    began = time.time()
    for i in range(int(count)):
        p.produce(full, str(i), on_delivery=answered)
        p.poll(max(0, began + i / float(rate) - time.time()))
    assert p.flush(60) == 0, "records were not answered within a minute"
    assert not refused, refused[:3]


cases = {"codecs": codecs, "headers": headers, "group": group, "admin": admin_calls, "errors": errors, "times": times, "tls": over_tls,
         "refusals": refusals, "transactional": transactional, "static": static_members, "write": write, "read": read, "kill": through_kill}
cases[sys.argv[3]](*sys.argv[4:])
print("ok")
