package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestErrorsAgainstFranz(t *testing.T) {
	for code := int16(-1); code <= 133; code++ {
		e := ErrorCode(code)
		if code == 0 {
			if e.String() != "NONE" || e.Retriable() {
				t.Error(e)
			}
			continue
		}
		var k *kerr.Error
		if !errors.As(kerr.ErrorForCode(code), &k) || k.Code != code {
			t.Fatalf("kerr has no %d", code)
		}
		if e.String() != k.Message && e != NotLeaderOrFollower { // kerr has its former name
			t.Errorf("%d is %s, kerr has %s", code, e, k.Message)
		}
		if (e.Retriable() != k.Retriable) != retriableOtherwise[e] {
			t.Errorf("%s: retriable %v, kerr has %v", e, e.Retriable(), k.Retriable)
		}
		if !strings.HasPrefix(e.Error(), e.String()+": ") || len(e.Meaning()) < 10 {
			t.Errorf("%s: %q", e, e.Error())
		}
	}
	if s := ErrorCode(134).String(); s != "ERROR_134" {
		t.Error(s)
	}
	if s := ErrorCode(-2).Error(); !strings.HasPrefix(s, "ERROR_-2: ") {
		t.Error(s)
	}
}

// retriableOtherwise are the codes where franz-go retries other things than the Java client of 4.3.1, which this table
// follows: its exceptions for these codes are (or, for the first, are not) RetriableExceptions.
var retriableOtherwise = map[ErrorCode]bool{BrokerNotAvailable: true, ConcurrentTransactions: true, ShareSessionNotFound: true, InvalidShareSessionEpoch: true}

func TestKeysAgainstKmsg(t *testing.T) {
	if Keys != 93 {
		t.Fatal(Keys)
	}
	spelled := map[Key]string{AlterPartitionAssignments: "AlterPartitionReassignments"}
	for k := Key(0); int(k) < Keys; k++ {
		want := kmsg.NameForKey(int16(k))
		if s, ok := spelled[k]; ok {
			want = s
		}
		if !strings.EqualFold(k.String(), want) {
			t.Errorf("%d is %s, kmsg has %s", k, k, want)
		}
		request := kmsg.RequestForKey(int16(k))
		for version := int16(0); version <= request.MaxVersion(); version++ {
			request.SetVersion(version)
			if Flexible(k, version) != request.IsFlexible() {
				t.Errorf("%s v%d: flexible %v, kmsg has %v", k, version, Flexible(k, version), request.IsFlexible())
			}
		}
	}
	if Key(93).Known() || Key(-1).Known() || Key(93).String() != "Api93" || Flexible(93, 9) {
		t.Error("key 93 belongs to Kafka 4.4")
	}
}

func TestHeaderAgainstKmsg(t *testing.T) {
	r := seeded(t)
	for k := Key(0); int(k) < Keys; k++ {
		if k == ControlledShutdown {
			continue // its version 0 has a header of its own, and no server since 4.0
		}
		request := kmsg.RequestForKey(int16(k))
		for version := int16(0); version <= request.MaxVersion(); version++ {
			request.SetVersion(version)
			formatter := kmsg.NewRequestFormatter()
			id := r.textOrNull()
			if id != nil {
				formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID(*id))
			}
			correlation := r.Int32()
			frame := formatter.AppendRequest(nil, request, correlation)[4:]
			h, err := ParseHeader(frame)
			if err != nil || h.Key != k || h.Version != version || h.CorrelationID != correlation || h.ClientIDNull != (id == nil) || id != nil && h.ClientID != *id {
				t.Fatalf("%s v%d: %+v, %v", k, version, h, err)
			}
			if body := request.AppendTo(nil); string(h.Body) != string(body) {
				t.Fatalf("%s v%d: body %x, want %x", k, version, h.Body, body)
			}
			if ours := append(AppendRequestHeader(nil, h), h.Body...); string(ours) != string(frame) {
				t.Fatalf("%s v%d: %x, want %x", k, version, ours, frame)
			}
			want := 4
			if request.IsFlexible() && k != ApiVersions {
				want = 5
			}
			if got := AppendResponseHeader(nil, k, version, correlation); len(got) != want {
				t.Fatalf("%s v%d: response header %x", k, version, got)
			}
		}
	}
}

func TestHeaderRefused(t *testing.T) {
	for _, frame := range [][]byte{nil, {0}, {0, 18, 0, 3, 0, 0, 0, 1}, {0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xfe},
		{0, 18, 0, 0, 0, 0, 0, 1, 0, 5, 'a'}, {0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff}, {0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 9}} {
		if h, err := ParseHeader(frame); err == nil {
			t.Errorf("%x: %+v", frame, h)
		}
	}
}

func TestUUID(t *testing.T) {
	r := seeded(t)
	for range 2000 {
		u := NewUUID(r.Uint64(), r.Uint64())
		back, err := ParseUUID(u.String())
		if err != nil || back != u || len(u.String()) != 22 || u.String()[0] == '-' || u.IsZero() || u[6]>>4 != 4 {
			t.Fatal(u, back, err)
		}
	}
	if u := NewUUID(62<<58, 0); u.String()[0] == '-' || u.IsZero() {
		t.Fatal(u)
	}
	// The value that Kafka's sources print for the metadata topic.
	if s := MetadataTopicID.String(); s != "AAAAAAAAAAAAAAAAAAAAAQ" {
		t.Fatal(s)
	}
	if u, err := ParseUUID("AAAAAAAAAAAAAAAAAAAAAQ=="); err != nil || u != MetadataTopicID {
		t.Fatal(u, err)
	}
	for _, bad := range []string{"", "AAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := ParseUUID(bad); err == nil {
			t.Error(bad)
		}
	}
}
