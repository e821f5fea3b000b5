package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrUnavailable: no quorum, or no coordinator could be reached, within the
	// time a call has. A write that ends so may have happened or may still happen:
	// read before deciding, or write with a condition.
	ErrUnavailable = errors.New("the configuration store cannot be reached or has lost its quorum; " +
		"start the coordinators that are down, or replace them when they are lost")
	// ErrConflict: a condition did not hold, nothing was written. The error is
	// also a [*Conflict], which says which one.
	ErrConflict = errors.New("the configuration was changed by someone else")
	// ErrDeposed comes with ErrConflict when the condition was [IfOwner]: another
	// leader may have been elected, this one must stop.
	ErrDeposed = errors.New("no longer the elected leader")
	// ErrNotFound: the key, or the coordinator, does not exist.
	ErrNotFound = errors.New("not found")
	// ErrFull: the store's space is used up, it only answers reads and deletes.
	ErrFull = errors.New("the configuration store is full (quota or disk); " +
		"delete what is not needed, then reclaim its space, or give the coordinators a larger quota")
	// ErrTooLarge: one value, or one commit, is larger than the store accepts.
	ErrTooLarge = errors.New("too large for the configuration store (values to 1.4 MB, commits to 1024 operations)")
	// ErrDenied: the store refuses this user, password or certificate.
	ErrDenied = errors.New("the configuration store refuses this identity; check user, password and certificate")
	// ErrWouldLoseQuorum: too few of the remaining coordinators are healthy for the
	// removal that was asked for.
	ErrWouldLoseQuorum = errors.New("removing this coordinator would leave the others without a quorum; " +
		"start those that are down first")
	// ErrExists: the data directory holds a member already, or the cluster has one
	// of this name or address.
	ErrExists = errors.New("this coordinator exists already")
	// ErrNoMember: the data directory holds no member to restart.
	ErrNoMember = errors.New("the data directory holds no coordinator; form a cluster or join one")
	// ErrInUse: another process works with the data directory.
	ErrInUse = errors.New("the data directory is in use by another process")
	// ErrRemoved: the cluster has removed this member; its data is of no use.
	ErrRemoved = errors.New("this coordinator was removed from the cluster; empty its etcd directory and join again")
	// ErrFailed: the member met a fault that it cannot go on from, as a disk that
	// is full or broken. Its process lives, without it.
	ErrFailed = errors.New("the coordinator's store failed and was stopped; repair its disk and restart the node")
)

// Conflict is the condition that did not hold. errors.Is finds [ErrConflict] in
// it, and [ErrDeposed] when it was about an election.
type Conflict struct {
	// Key the condition is about, as the caller wrote it.
	Key string
	// Wanted revision, 0 for «absent».
	Wanted Revision
	// Current revision of the key when the commit was refused, 0 when absent.
	Current Revision

	election bool
}

// Error says what was expected and what is there.
func (c *Conflict) Error() string {
	switch {
	case c.election:
		return fmt.Sprintf("%v: %q is held since revision %d, not %d", ErrDeposed, c.Key, c.Current, c.Wanted)
	case c.Wanted == 0:
		return fmt.Sprintf("%v: %q exists already, at revision %d", ErrConflict, c.Key, c.Current)
	case c.Current == 0:
		return fmt.Sprintf("%v: %q does not exist", ErrConflict, c.Key)
	}
	return fmt.Sprintf("%v: %q is at revision %d, not %d", ErrConflict, c.Key, c.Current, c.Wanted)
}

// Is makes errors.Is find the sentinels.
func (c *Conflict) Is(target error) bool {
	return target == ErrConflict || c.election && target == ErrDeposed
}

// failure puts err of a call on etcd in our words. parent is the context that the
// caller gave: its own end is told apart from our time limit.
func failure(parent context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if parent.Err() != nil {
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, context.Cause(parent))
	}
	if sentinel := sentinelOf(err); sentinel != nil {
		return fmt.Errorf("%s: %w (%s)", doing, sentinel, plain(err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// plain is err without gRPC's decoration.
func plain(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}

// sentinelOf is the sentinel that stands for err, nil when there is none.
func sentinelOf(err error) error {
	err = rpctypes.Error(err)
	for cause, sentinel := range sentinels {
		if errors.Is(err, cause) {
			return sentinel
		}
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted:
		return ErrUnavailable
	case codes.PermissionDenied, codes.Unauthenticated:
		return ErrDenied
	}
	return nil
}

// sentinels are the causes that the code alone does not tell.
var sentinels = map[error]error{
	context.DeadlineExceeded:                               ErrUnavailable,
	context.Canceled:                                       ErrUnavailable,
	rpctypes.ErrNoSpace:                                    ErrFull,
	rpctypes.ErrRequestTooLarge:                            ErrTooLarge,
	rpctypes.ErrTooManyOps:                                 ErrTooLarge,
	rpctypes.ErrMemberNotFound:                             ErrNotFound,
	rpctypes.ErrMemberExist:                                ErrExists,
	rpctypes.ErrPeerURLExist:                               ErrExists,
	rpctypes.ErrMemberNotEnoughStarted:                     ErrWouldLoseQuorum,
	rpctypes.ErrUnhealthy:                                  ErrWouldLoseQuorum,
	rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner): ErrUnavailable,
	rpctypes.ErrTimeoutWaitAppliedIndex:                    ErrUnavailable,
	rpctypes.ErrAuthFailed:                                 ErrDenied,
	rpctypes.ErrUserEmpty:                                  ErrDenied,
	rpctypes.ErrInvalidAuthToken:                           ErrDenied,
	rpctypes.ErrAuthOldRevision:                            ErrUnavailable,
	rpctypes.ErrTimeoutDueToLeaderFail:                     ErrUnavailable,
	rpctypes.ErrTimeoutDueToConnectionLost:                 ErrUnavailable,
}

// codeOf is the gRPC code of an error of etcd's, codes.Unknown without one.
func codeOf(err error) codes.Code {
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code()
	}
	return status.Code(err)
}
