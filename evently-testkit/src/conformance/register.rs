//! The macros that make tests of clauses. Each clause becomes a `#[test]` of its own, in a module named for its suite.

/// Makes a test of each clause. For the macros of the suites.
#[doc(hidden)]
#[macro_export]
macro_rules! register {
    ($subject:expr; $($suite:ident { $($clause:ident)+ })+) => {
        $(
            mod $suite {
                use super::*;

                $(
                    #[test]
                    fn $clause() {
                        $crate::run(async { $crate::conformance::$suite::$clause($subject).await });
                    }
                )+
            }
        )+
    };
}

/// Registers the suites of all store ports: `store_conformance!(place)`, where `place` is an expression that makes an empty
/// [`StorePlace`](crate::StorePlace). Each test gets its own.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::register! {
            $crate::World::new($make).await;
            batches {
                a_request_sees_what_those_before_it_did
                holds_of_one_call_count_for_each_other
                answers_stand_in_the_order_of_requests
                what_is_sold_and_given_up_in_one_call_has_no_good_ticket
                what_is_given_up_and_sold_anew_in_one_call_has_one_good_ticket
                of_two_venues_with_one_layout_in_one_call_the_second_is_refused
                a_refused_request_leaves_no_trace
                a_refused_request_does_not_hold_others_up
                changes_are_told_seat_by_seat_in_their_order
                a_call_may_span_events
                tickets_of_one_call_are_kept_apart
                a_call_may_be_empty_or_large
            }
            holds {
                a_hold_reserves_its_seats
                no_hold_lasts_longer_than_it_could_be_made_to
                an_overlapping_hold_is_refused_whole
                a_hold_lasts_to_its_last_instant_and_no_longer
                the_next_buyer_takes_over_what_has_run_out
                who_is_refused_takes_nothing_over
                a_customer_holds_no_more_than_the_event_allows
                seats_count_as_held_until_their_payment_is_over
                a_booking_has_no_more_seats_than_the_event_allows
                a_hold_names_seats_of_the_event_once_each
                an_event_is_booked_only_while_it_is_on_sale
                an_extension_starts_the_time_anew_up_to_the_cap
                an_extension_that_gains_nothing_leaves_the_hold_as_it_is
                nobody_else_knows_of_a_customers_booking
                what_has_run_out_is_not_extended_and_not_paid
                a_hold_that_is_given_up_frees_its_seats
                a_hold_that_is_asked_for_again_is_the_same
                a_booking_id_is_used_once
            }
            house {
                a_draft_is_not_booked
                a_new_price_is_for_new_bookings
                what_an_edit_does_not_name_stays_as_it_is
                a_price_changes_while_seats_are_held
                an_edit_that_makes_no_sense_is_refused
                an_event_that_was_called_off_stays_so
                blocked_seats_are_not_sold_until_they_are_unblocked
                a_seat_whose_hold_has_run_out_can_be_blocked
                seats_are_blocked_all_or_none
                an_event_whose_seats_do_not_fit_is_refused
                a_venue_and_an_event_are_made_once
            }
            payments {
                money_confirms_its_booking
                a_payment_keeps_its_hold_alive
                a_refused_card_leaves_the_hold
                a_refused_card_shortens_no_hold
                a_message_is_taken_in_once
                two_gateways_may_give_messages_the_same_id
                a_capture_counts_once_however_often_it_is_reported
                a_capture_is_believed_after_a_failure
                a_payment_is_given_up_once_its_gateway_cannot_be_about_to_answer
                the_gateways_name_for_a_payment_is_kept
                an_id_of_another_payment_is_no_payment_elsewhere
                who_starts_a_payment_again_is_told_how_it_is
                a_second_payment_goes_back_whole
                money_for_a_booking_that_was_given_up_goes_back
                money_taken_elsewhere_confirms_and_counts_once
                what_costs_nothing_is_confirmed_at_once
                a_code_is_given_out_once
                a_buyer_gets_back_what_the_policy_says
                a_buyer_may_get_nothing_back
                a_buyer_cannot_give_up_too_late
                a_buyer_cannot_give_up_a_ticket_that_was_used
                who_gives_a_hold_up_does_not_give_up_what_was_bought
                a_booking_is_given_up_as_what_it_is_and_as_nothing_else
                everything_comes_back_when_the_event_is_called_off
                a_refund_is_sent_once
                nothing_is_paid_or_extended_when_the_event_was_called_off
                money_under_way_goes_back_when_the_event_was_called_off
                nothing_is_paid_or_extended_when_the_event_is_over
                money_under_way_goes_back_when_the_event_is_over
                a_refusal_ends_what_cannot_be_paid_any_more
                a_payment_that_is_asked_for_again_is_the_same
                a_payment_id_is_used_once
                payments_one_after_another_keep_a_hold_no_longer_than_the_cap_and_one_window
                whichever_payment_comes_first_buys
                what_costs_nothing_may_be_confirmed_elsewhere
                a_part_of_a_minor_unit_does_not_go_back
                the_dearest_booking_adds_up
                the_house_may_give_up_a_ticket_that_was_used
                a_clock_that_steps_back_breaks_nothing
                a_clock_that_was_far_ahead_is_gone_by_no_longer
            }
            refunds {
                a_booking_keeps_the_terms_of_refunds_it_was_held_under
                terms_of_refunds_are_those_of_the_hold
                better_terms_of_refunds_are_for_those_who_have_bought_before
                of_two_terms_of_refunds_those_count_that_give_more_at_the_time
                what_was_promised_ends_with_an_event_that_was_moved_to_an_earlier_day
                money_is_owed_from_when_that_was_decided
            }
            late {
                late_money_takes_the_same_seats_if_they_are_free
                late_money_takes_other_seats_if_its_own_are_gone
                late_money_goes_back_if_there_is_nothing_for_it
                what_has_run_out_can_be_given_up_and_its_late_money_goes_back
                late_money_is_not_taken_for_an_event_that_was_called_off
                late_money_is_not_taken_for_an_event_that_is_over
                late_money_is_not_taken_when_the_event_has_begun_and_is_no_longer_sold
                seats_bought_late_can_be_given_up_like_others
                a_refusal_that_comes_late_changes_nothing
                late_money_takes_its_seats_back_from_a_hold_that_has_run_out
            }
            door {
                a_ticket_admits_once
                the_door_turns_away_what_is_not_for_it
                of_many_doors_one_admits
            }
            answers {
                a_repeated_request_gets_the_first_answer
                a_refusal_is_kept_too
                a_key_used_for_another_request_is_refused
                another_key_is_another_request
                a_key_is_good_again_when_its_time_is_over
                a_key_whose_time_is_over_stands_for_whatever_it_is_used_for_next
                a_repetition_in_the_same_call_gets_the_first_answer
                racing_repetitions_have_one_effect
                a_settlement_answers_the_request_that_began_the_payment
                a_settlement_that_comes_again_leaves_the_answer_as_it_was
                a_settlement_that_comes_when_the_answer_is_not_kept_any_more_is_a_new_one
            }
            races {
                of_many_buyers_of_one_seat_one_gets_it
                overlapping_holds_never_share_a_seat
                a_limit_holds_when_one_customer_asks_many_times
                a_confirmation_and_the_end_of_its_hold_do_not_both_happen
                late_money_and_another_buyer_do_not_both_get_the_seat
                a_capture_reported_many_times_at_once_counts_once
                giving_up_many_times_at_once_pays_back_once
                a_payment_and_its_hold_being_given_up_do_not_both_happen
                a_seat_is_not_blocked_and_held_at_once
                large_calls_that_race_are_whole
            }
            reads {
                what_is_not_there_is_not_found
                a_booking_is_read_as_it_was_answered
                records_have_all_that_belongs_to_a_booking
                bookings_are_listed_newest_first_page_by_page
                each_booking_is_on_one_page_whatever_is_asked_for
            }
            chores {
                holds_that_have_run_out_are_found_the_longest_due_first
                a_deadline_that_moved_is_found_where_it_is
                live_bookings_of_events_that_were_called_off_are_found
                payments_without_a_decision_are_found_oldest_first
                a_payment_begun_by_a_clock_that_was_far_ahead_is_found_and_may_be_given_up
                refunds_that_were_not_sent_are_found_with_their_payments
                of_refunds_that_began_together_none_is_left_out
                what_one_gateway_has_to_do_does_not_stand_in_the_way_of_another
                a_payment_that_was_given_up_is_asked_about_until_it_is_decided
                old_answers_are_forgotten_and_new_ones_are_not
                an_answer_in_the_place_of_an_old_one_is_not_forgotten
                logins_that_have_ended_are_forgotten_and_others_are_not
            }
            catalog {
                what_was_added_is_read_as_it_was
                what_is_unknown_is_not_found
                a_seat_map_has_every_committed_change
                a_seat_map_is_of_one_moment
                venues_are_listed_by_id_page_by_page
                events_are_listed_by_start_and_id_page_by_page
                events_are_found_by_what_is_asked
                events_are_found_by_what_they_look_like_then
                a_draft_that_was_called_off_is_found_by_whoever_manages_it_alone
                an_event_that_was_moved_is_found_where_it_is
                a_renamed_event_is_found_by_its_new_name
                nothing_has_changed_elsewhere_while_nobody_writes
            }
            accounts {
                an_account_is_read_as_it_was_added
                an_address_has_one_account
                of_many_who_register_one_address_one_is_added
                accounts_are_listed_by_id_page_by_page
                a_role_changes_and_nothing_else
            }
            sessions {
                a_token_is_spent_for_the_next
                a_token_used_again_ends_its_family
                a_revoked_session_stays_revoked
                other_logins_of_the_account_go_on
                an_unknown_token_does_nothing
                tokens_end_with_their_session
                a_holder_is_as_they_are_now
                a_rotation_that_comes_again_after_the_next_one_ends_its_login
                of_many_rotations_of_one_token_one_succeeds
                what_is_taken_back_is_told
                what_does_nothing_takes_nothing_back
                nothing_taken_back_is_passed_over_while_others_commit
            }
            outbox {
                entries_come_in_order_without_a_gap
                entries_come_in_the_order_in_which_they_were_written
                each_consumer_has_a_place_of_its_own
                a_place_never_goes_back
                of_many_who_claim_a_consumer_one_has_it
                a_claim_lasts_until_its_end_and_can_be_prolonged
                a_claim_that_is_let_go_is_to_be_had_at_once
                who_was_taken_over_moves_nothing
                a_claim_of_a_clock_that_was_far_ahead_is_over
                no_entry_is_passed_over_while_others_commit
            }
            inbox {
                a_message_that_is_done_is_not_taken_again
                each_message_and_each_consumer_is_on_its_own
                of_many_who_take_a_message_one_has_it
                a_message_that_is_let_go_is_to_be_had_at_once
                who_crashed_with_a_message_is_taken_over_and_has_no_say
                who_takes_a_message_over_takes_no_other
                who_lets_a_message_go_keeps_the_others
                a_message_begun_by_a_clock_that_was_far_ahead_is_taken_over
                what_was_done_long_ago_is_forgotten_and_nothing_else
            }
            figures {
                figures_add_up
                what_does_not_follow_on_is_not_added
                of_many_who_add_the_same_one_does
                figures_can_begin_anew
                figures_are_found_by_event_and_hour
                figures_are_what_the_journal_says
                a_row_of_zeros_is_left_out
            }
            audit {
                all_events_are_named
                records_have_everything_of_their_event_and_of_no_other
                a_store_finds_no_fault_with_itself
            }
        }
    };
}

/// Registers what is owed besides by stores that outlive their process and that several may open:
/// `durable_conformance!(place)`.
#[macro_export]
macro_rules! durable_conformance {
    ($make:expr) => {
        $crate::register! {
            $crate::World::new($make).await;
            durable {
                everything_of_an_event_is_there_again
                it_goes_on_where_it_stopped
                answers_are_kept_across_a_restart
                a_gateways_message_is_remembered_across_a_restart
                accounts_and_sessions_are_there_again
                figures_and_places_are_there_again
            }
            shared {
                what_one_commits_the_other_sees
                a_write_elsewhere_is_noticed_once
                of_many_buyers_through_several_stores_one_gets_the_seat
                of_those_who_work_for_several_stores_one_has_the_consumer
                of_those_who_work_for_several_stores_one_has_the_message
                a_login_that_one_has_ended_is_over_at_the_other
            }
        }
    };
}

/// Registers the suite of live feeds of seats: `seat_feed_conformance!(make)`, where `make` is a function from an
/// `Arc<dyn Catalog>` to an `Arc<dyn SeatFeed>` over it. The store is the one in memory.
#[macro_export]
macro_rules! seat_feed_conformance {
    ($make:expr) => {
        $crate::register! {
            {
                let world = $crate::World::new($crate::MemoryPlace).await;
                let feed = $make(world.store.catalog.clone());
                $crate::conformance::seat_feed::FeedUnderTest { world, feed }
            };
            seat_feed {
                a_map_has_what_was_published_before
                an_unknown_event_has_no_map
                who_follows_gets_every_change
                who_comes_back_gets_what_they_missed
                who_was_away_too_long_begins_anew
                who_falls_behind_loses_their_place_and_nobody_waits
                what_was_published_already_is_no_news
                what_was_never_published_is_found_in_the_store
                only_what_has_changed_is_compared
                events_do_not_mix
                no_change_is_lost_while_many_publish_and_begin
            }
        }
    };
}

/// Registers the suite of seat locks: `seat_locks_conformance!(test)`, where `test` is an expression that makes a
/// [`LocksUnderTest`](crate::conformance::seat_locks::LocksUnderTest).
#[macro_export]
macro_rules! seat_locks_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            seat_locks {
                who_comes_later_is_told_what_is_in_the_way
                those_of_one_call_do_not_stand_in_each_others_way
                a_request_gets_all_its_locks_or_none
                a_repetition_goes_through
                what_was_turned_away_stays_so_for_a_while
                of_another_content_under_the_same_key_nothing_was_said
                a_booking_goes_through_again
                what_is_released_can_be_locked_again
                nobody_elses_lock_is_released_or_kept
                what_is_held_stays_locked
                a_lock_of_which_nothing_is_said_ends
                a_lock_of_which_nothing_is_ever_said_ends
                what_has_ended_is_not_kept
                of_many_who_ask_at_once_one_goes_through
                events_have_locks_of_their_own
                a_call_may_be_large_or_empty
            }
        }
    };
}

/// Registers the suite of shared caches: `cache_conformance!(test)`, where `test` is an expression that makes a
/// [`CacheUnderTest`](crate::conformance::cache::CacheUnderTest).
#[macro_export]
macro_rules! cache_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            cache {
                what_was_filled_in_is_found_by_all
                any_bytes_can_be_kept
                a_value_is_kept_for_its_time
                nothing_is_filled_in_without_leave
                of_two_who_load_at_once_one_fills_in
                nothing_old_is_filled_in_after_it_was_forgotten
                what_is_forgotten_is_gone_for_all
                everybody_is_told_what_was_forgotten
                no_change_is_undone_by_who_reads_slowly
            }
        }
    };
}

/// Registers the suite of payment gateways: `gateway_conformance!(test)`, where `test` is an expression that makes a
/// [`GatewayUnderTest`](crate::conformance::gateway::GatewayUnderTest).
#[macro_export]
macro_rules! gateway_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            gateway {
                a_good_card_pays
                a_refused_card_says_why_in_a_stable_word
                a_charge_that_is_asked_for_again_is_the_same_charge
                one_card_can_pay_for_two
                what_has_become_of_a_charge_can_be_asked
                a_refund_may_be_asked_for_again
                a_token_that_is_no_card_is_refused_with_what_would_be_right
                a_message_that_nobody_signed_is_not_taken
            }
        }
    };
}

/// Registers the suite of mailers: `mailer_conformance!(test)`, where `test` is an expression that makes a
/// [`MailerUnderTest`](crate::conformance::mailer::MailerUnderTest).
#[macro_export]
macro_rules! mailer_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            mailer {
                a_mail_arrives_as_it_was_sent
                every_mail_arrives
            }
        }
    };
}

/// Registers the suite of password hashers: `passwords_conformance!(passwords)`, where `passwords` is an expression that makes an
/// `Arc<dyn PasswordHasher>`.
#[macro_export]
macro_rules! passwords_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            passwords {
                the_right_password_opens_and_another_does_not
                without_an_account_no_password_opens
                the_whole_password_counts
            }
        }
    };
}

/// Registers the suite of clocks: `clock_conformance!(clock)`, where `clock` is an expression that makes an `Arc<dyn Clock>`.
#[macro_export]
macro_rules! clock_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            clock {
                time_never_goes_back
            }
        }
    };
}

/// Registers the suite of ids and secrets: `ids_conformance!(ids)`, where `ids` is an expression that makes an `Arc<dyn Ids>`.
#[macro_export]
macro_rules! ids_conformance {
    ($make:expr) => {
        $crate::register! {
            $make;
            ids {
                no_two_are_the_same
                ids_are_in_the_order_of_their_times
                secrets_leave_no_bit_to_guess
            }
        }
    };
}

/// Registers the suite of access tokens: `tokens_conformance!(tokens)`, where `tokens` is an expression that makes an
/// `Arc<dyn AccessTokens>`. `tokens_conformance!(signed tokens)` is for those that nobody else can make; all but test doubles are.
#[macro_export]
macro_rules! tokens_conformance {
    (signed $make:expr) => {
        $crate::register! {
            $make;
            tokens {
                a_token_says_what_was_put_in
                a_token_is_good_up_to_its_end
                what_is_no_token_is_refused
                no_bit_of_a_token_can_be_changed
            }
        }
    };
    ($make:expr) => {
        $crate::register! {
            $make;
            tokens {
                a_token_says_what_was_put_in
                a_token_is_good_up_to_its_end
                what_is_no_token_is_refused
            }
        }
    };
}
