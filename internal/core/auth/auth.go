// Package auth decides who a connection speaks for and what that principal may do. It holds two interfaces, the
// place where authentication and access control plug into the broker, and the answer of a node without either.
package auth

// Principal is who a connection speaks for.
type Principal struct {
	Type, Name string
}

// Anonymous is the principal of a connection on a listener without authentication.
var Anonymous = Principal{Type: "User", Name: "ANONYMOUS"}

func (p Principal) String() string { return p.Type + ":" + p.Name }

// Operation is what a request wants to do. The numbers are Kafka's (AclOperation), as clients see them in the
// authorized-operations bit fields.
type Operation int8

const (
	All             Operation = 2
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
)

// ResourceType is the kind of thing an operation is about; the numbers are Kafka's (ResourceType).
type ResourceType int8

const (
	TopicResource           ResourceType = 2
	GroupResource           ResourceType = 3
	ClusterResource         ResourceType = 4
	TransactionalIDResource ResourceType = 5
	// SubjectResource is a subject of the schema registry: our own, and never told to Kafka's clients.
	SubjectResource ResourceType = 100
)

// Resource names one thing.
type Resource struct {
	Type ResourceType
	Name string
}

// Cluster is the one resource of its type.
var Cluster = Resource{Type: ClusterResource, Name: "kafka-cluster"}

// Topic, Subject, Group and TransactionalID name resources.
func Topic(name string) Resource { return Resource{Type: TopicResource, Name: name} }

func Subject(name string) Resource { return Resource{Type: SubjectResource, Name: name} }

func Group(name string) Resource { return Resource{Type: GroupResource, Name: name} }

func TransactionalID(name string) Resource {
	return Resource{Type: TransactionalIDResource, Name: name}
}

// operations of each resource type, in Kafka's AclEntry.
var operations = map[ResourceType][]Operation{
	TopicResource:           {Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs},
	GroupResource:           {Read, Describe, Delete, DescribeConfigs, AlterConfigs},
	ClusterResource:         {Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe},
	TransactionalIDResource: {Describe, Write},
}

// Authorizer says whether a principal that connects from host may do op on r. It is asked once per resource, on
// the hot path, so an answer must come from memory.
type Authorizer interface {
	Authorize(p Principal, host string, op Operation, r Resource) bool
}

// AllowAll is the authorizer of a node without access control.
type AllowAll struct{}

// Authorize allows.
func (AllowAll) Authorize(Principal, string, Operation, Resource) bool { return true }

// OperationBits is the bit field of the operations on r that p may do (bit n = operation n).
func OperationBits(a Authorizer, p Principal, host string, r Resource) int32 {
	var bits int32
	for _, op := range operations[r.Type] {
		if a.Authorize(p, host, op, r) {
			bits |= 1 << op
		}
	}
	return bits
}

// Exchange is one authentication in progress. Each token of the client yields a challenge; done says that the
// principal is known. An error ends the connection, and its text reaches the client.
type Exchange interface {
	Step(token []byte) (challenge []byte, done bool, err error)
	Principal() Principal
}

// Authenticator starts exchanges for a listener. A listener without one counts as authenticated, as Anonymous.
type Authenticator interface {
	Mechanisms() []string
	// Begin returns nil for a mechanism that the listener does not offer.
	Begin(mechanism string) Exchange
}
