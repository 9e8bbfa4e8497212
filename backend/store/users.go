package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// User is a row of users, without the hash of the password, which no role of ours may read.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID                      string          `bun:"id,pk"                    json:"id"`
	Email                   *string         `bun:"email"                    json:"email"`
	FirstName               *string         `bun:"first_name"               json:"firstName"`
	LastName                *string         `bun:"last_name"                json:"lastName"`
	ProfileImageURL         *string         `bun:"profile_image_url"        json:"profileImageUrl"`
	Phone                   *string         `bun:"phone"                    json:"phone"`
	Timezone                *string         `bun:"timezone"                 json:"timezone"`
	NotificationPreferences json.RawMessage `bun:"notification_preferences,type:jsonb" json:"notificationPreferences"`
	CreatedAt               *time.Time      `bun:"created_at"               json:"createdAt"`
	UpdatedAt               *time.Time      `bun:"updated_at"               json:"updatedAt"`
}

// Actor returns the user who acts.
func Actor(ctx context.Context, tx *softdelete.Tx) (User, error) {
	var u User
	if err := tx.Conn().NewSelect().Model(&u).Where("u.id = ?", tx.Actor).Scan(ctx); err != nil {
		return User{}, fmt.Errorf("read the user who acts: %w", err)
	}
	return u, nil
}
