package state

import "slices"

// DeleteVersion decides the deletion of one version; the reply is its number.
func (s *State) DeleteVersion(subject string, version int, permanent bool) ([]Write, int, *Error) {
	subject = Normal(subject)
	v := s.Version(subject, version, WithDeleted)
	if version == Latest && !permanent {
		if live := s.Version(subject, Latest, LiveOnly); live != nil {
			v = live
		}
	}
	switch {
	case v == nil && !s.HasSubject(subject, WithDeleted):
		return nil, 0, subjectNotFound(subject)
	case v == nil:
		return nil, 0, versionNotFound(subject, version)
	case v.Deleted && !permanent:
		return nil, 0, errorf(VersionSoftDeleted, "version %d of subject %q is softly deleted already; set permanent=true to take it away for good", v.Version, subject)
	}
	if err := s.writable(subject); err != nil {
		return nil, 0, err
	}
	if err := s.unreferenced(v, permanent, ""); err != nil {
		return nil, 0, err
	}
	if !permanent {
		gone := *v
		gone.Deleted = true
		return s.write(&gone), v.Version, nil
	}
	if !v.Deleted {
		return nil, 0, errorf(VersionNotSoftDeleted, "version %d of subject %q is not deleted yet; delete it softly first", v.Version, subject)
	}
	writes := append(s.keepHighest(v.Context()), s.tombstones(logicalKey{keySchema, subject, v.Version})...)
	if len(s.subjects[subject]) == 1 {
		writes = append(writes, s.dropSettings(subject)...)
	}
	return writes, v.Version, nil
}

// unreferenced refuses while other schemas need a version. Those of the subject except do not count.
func (s *State) unreferenced(v *Version, permanent bool, except string) *Error {
	f := LiveOnly
	if permanent {
		f = WithDeleted
	}
	for _, by := range s.ReferencedBy(v.Subject, v.Version, f) {
		if by.Subject != except {
			return errorf(ReferenceExists, "version %d of subject %q refers to version %d of subject %q; delete it first",
				by.Version, by.Subject, v.Version, v.Subject)
		}
	}
	return nil
}

func (s *State) dropSettings(subject string) (writes []Write) {
	if _, ok := s.modes[subject]; ok {
		writes = append(writes, s.tombstones(logicalKey{kind: keyMode, name: subject})...)
	}
	if _, ok := s.configs[subject]; ok {
		writes = append(writes, s.tombstones(logicalKey{kind: keyConfig, name: subject})...)
	}
	return writes
}

// DeleteSubject decides the deletion of all versions of a subject; the reply is their numbers.
func (s *State) DeleteSubject(subject string, permanent bool) ([]Write, []int, *Error) {
	subject = Normal(subject)
	switch {
	case len(s.Versions(subject, WithDeleted)) == 0:
		return nil, nil, subjectNotFound(subject)
	case !permanent && len(s.Versions(subject, LiveOnly)) == 0:
		return nil, nil, errorf(SubjectSoftDeleted, "subject %q is softly deleted already; set permanent=true to take it away for good", subject)
	}
	if err := s.writable(subject); err != nil {
		return nil, nil, err
	}
	f := LiveOnly
	if permanent {
		f = WithDeleted
	}
	versions := s.Versions(subject, f)
	var numbers []int
	for _, v := range versions {
		if err := s.unreferenced(v, permanent, subject); err != nil {
			return nil, nil, err
		}
		if permanent && !v.Deleted {
			return nil, nil, errorf(SubjectNotSoftDeleted, "subject %q is not deleted yet; delete it softly first", subject)
		}
		numbers = append(numbers, v.Version)
	}
	if !permanent {
		last := numbers[len(numbers)-1]
		return s.puts(logicalKey{kind: keyDelete, name: subject}, marshal(subjectVersionValue{subject, last})), numbers, nil
	}
	writes := s.keepHighest(ParseName(subject).Context)
	for _, v := range slices.Backward(versions) { // later versions may refer to earlier ones
		writes = append(writes, s.tombstones(logicalKey{keySchema, subject, v.Version})...)
	}
	return append(writes, s.dropSettings(subject)...), numbers, nil
}

// DeleteContext decides the deletion of a context that holds nothing.
func (s *State) DeleteContext(context string) ([]Write, *Error) {
	prefix := ContextPrefix(context)
	if context == DefaultContext || len(s.inScope(prefix)) > 0 {
		return nil, errorf(ContextNotEmpty, "context %q holds subjects; delete them first, softly and for good", context)
	}
	if !s.named[context] {
		return nil, nil
	}
	return s.tombstones(logicalKey{kind: keyContext, name: context}), nil
}
