// ApiVersions (key 18), versions 0-4
//
// Lists what this broker serves, and the features of the cluster. Its response header is version 0 always. A request of
// an unknown version is answered in version 0 with UNSUPPORTED_VERSION and the range of this API alone, with which
// the client asks again. From v3 on a client software name or version that is not made of letters, digits, dots and
// dashes is refused with INVALID_REQUEST. Served before authentication.
//
//	v3  flexible, client software, supported and finalized features
//	v4  supported features with a minimum of zero are listed too

package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.ApiVersions, Min: 0, Max: 4, BeforeAuthentication: true,
	Handle: decoded(handleApiVersions), Mismatch: mismatchApiVersions})

func handleApiVersions(r *Request, req *kmsg.ApiVersionsRequest) {
	resp := kmsg.NewPtrApiVersionsResponse()
	if r.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp.ErrorCode = int16(wire.InvalidRequest)
			r.fail(wire.InvalidRequest)
			r.Reply(resp)
			return
		}
		r.conn.arrived(software{req.ClientSoftwareName, req.ClientSoftwareVersion})
	}
	for _, a := range r.b.apis {
		if a != nil {
			resp.ApiKeys = append(resp.ApiKeys, a.advertised())
		}
	}
	r.features(resp)
	r.Reply(resp)
}

func (a *API) advertised() kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = int16(a.Key), a.Min, a.Max
	if a.FromZero {
		k.MinVersion = 0
	}
	return k
}

// features lists what the node supports and what the cluster has finalized. The epoch only grows: clients look again
// only then.
func (r *Request) features(resp *kmsg.ApiVersionsResponse) {
	image := r.b.host.Image()
	if self := image.Broker(r.b.host.NodeID()); self != nil {
		for _, f := range self.Features {
			if f.Min == 0 && r.Version < 4 {
				continue // clients of that time refuse it
			}
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = f.Name, f.Min, f.Max
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
	}
	resp.FinalizedFeaturesEpoch = image.FeaturesEpoch()
	for name, level := range image.Features() {
		if level == 0 {
			continue
		}
		f := kmsg.NewApiVersionsResponseFinalizedFeature()
		f.Name, f.MaxVersionLevel, f.MinVersionLevel = name, level, level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, f)
	}
	slices.SortFunc(resp.FinalizedFeatures, func(a, b kmsg.ApiVersionsResponseFinalizedFeature) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// mismatchApiVersions tells the range in a form that every client can read.
func mismatchApiVersions(r *Request) error {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = int16(wire.UnsupportedVersion)
	resp.ApiKeys = append(resp.ApiKeys, r.api.advertised())
	r.Version = 0
	r.fail(wire.UnsupportedVersion)
	r.Reply(resp)
	return nil
}

// softwareName: letters, digits, dots and dashes, beginning and ending with a letter or digit.
func softwareName(s string) bool {
	inner := func(c byte) bool { return alphanumeric(c) || c == '.' || c == '-' }
	if s == "" || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !inner(s[i]) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
