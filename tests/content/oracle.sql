-- The features once more, straight from the orders, by other means than the jobs use: one subquery per idea, windows for
-- streaks, no shared aggregates. `history_orders` and `history` are the orders and baskets of customers that are known,
-- `product_history` the baskets by which products are known; `half_life` is 5.
with latest as (
  select user_id, max(order_number) as n, max(order_day) as day from history_orders group by user_id
),
customer as (
  select o.user_id, count(*) as user_orders, sum(coalesce(days_since_prior_order, 0)) as user_period,
         sum(days_since_prior_order) / (count(*) - 1) as user_mean_days_since_prior,
         max(case when order_number = n then days_since_prior_order end) as user_last_days_since_prior
  from history_orders o join latest using (user_id) group by o.user_id
),
customer_baskets as (
  select h.user_id, count(*) as user_total_products, count(distinct product_id) as user_distinct_products,
         count(*)::double / max(n) as user_average_basket, count(*) filter (where order_number = n) as user_last_basket
  from history h join latest using (user_id) group by h.user_id
),
marked as (
  select *, exists (from history e where e.user_id = h.user_id and e.product_id = h.product_id
                      and e.order_number < h.order_number) as again
  from history h
),
reorders as (
  select user_id, (count(*) filter (where again))::double / count(*) filter (where order_number > 1) as user_reorder_ratio
  from marked group by user_id
),
streaks as (
  -- A run of orders without a gap has the same order number minus row number.
  select user_id, product_id, count(*) filter (where island = last_island and last_order = n) as up_streak
  from (
    select *, last_value(island) over w as last_island, last_value(order_number) over w as last_order
    from (
      select user_id, product_id, order_number,
             order_number - row_number() over (partition by user_id, product_id order by order_number) as island
      from history
    )
    window w as (partition by user_id, product_id order by order_number
                 rows between unbounded preceding and unbounded following)
  ) join latest using (user_id) group by user_id, product_id
),
pairs as (
  select h.user_id, h.product_id, count(*) as up_orders, min(order_number) as up_first_order,
         max(order_number) as up_last_order, avg(add_to_cart_order) as up_average_cart_position,
         count(*)::double / max(n) as up_order_rate, max(n) - max(order_number) as up_orders_since_last_order,
         count(*)::double / (max(n) - min(order_number) + 1) as up_order_rate_since_first_order,
         count(*) filter (where order_number > n - 3) as up_orders_last_3,
         count(*) filter (where order_number > n - 5) as up_orders_last_5,
         count(*) filter (where order_day >= day - 60) as up_orders_last_60_days,
         sum(exp(ln(0.5) * (n - order_number) / 5)) as up_decayed_orders,
         max(day) - max(order_day) as up_days_since_last_order,
         (max(order_day) - min(order_day))::double / nullif(count(*) - 1, 0) as up_mean_days_between
  from history h join latest using (user_id) group by h.user_id, h.product_id
),
product_marked as (
  select *, exists (from product_history e where e.user_id = h.user_id and e.product_id = h.product_id
                      and e.order_number < h.order_number) as again
  from product_history h
),
products as (
  select product_id, count(*) as prod_orders, count(*) filter (where again) as prod_reorders,
         count(distinct user_id) as prod_first_orders,
         (count(*) filter (where again))::double / count(*) as prod_reorder_ratio,
         avg(add_to_cart_order) as prod_average_cart_position
  from product_marked group by product_id
),
twice as (
  select product_id, count(*) filter (where times >= 2) as prod_second_orders
  from (select product_id, user_id, count(*) as times from product_history group by all) group by product_id
)
select *,
       (up_days_since_last_order + user_mean_days_since_prior) / nullif(up_mean_days_between, 0) as up_overdue,
       prod_second_orders::double / prod_first_orders as prod_reorder_probability,
       1 + prod_reorders::double / prod_first_orders as prod_reorder_times
from pairs
join streaks using (user_id, product_id)
join customer using (user_id)
join customer_baskets using (user_id)
join reorders using (user_id)
left join products using (product_id)
left join twice using (product_id)
order by user_id, product_id
